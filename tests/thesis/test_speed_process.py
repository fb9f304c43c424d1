"""The thesis path's two ends without a process between: what is asked and answered, and what is timed."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from btlib.errors import BtlibError
from btlib.speed import memory
from btlib.speed.reference import Call
from btlib.thesis import models, speed_reference
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.speed_reference import ThesisJob, ThesisPath, prepare
from btlib.thesis.training.module import Trainee

JOB = ThesisJob("D", "tiny", "inference", batch_size=2, image_size=32, device="cpu")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What the process answers to some jobs, and what it did meanwhile; a call takes 2 s by its clock."""
    now, done = [0.0], list[str]()

    def ready(job: ThesisJob) -> Callable[[], None]:
        done.append(f"prepare {job.batch_size}")
        if job.variant == "Z":
            raise ValueError("no such variant")

        def work() -> None:
            done.append(f"call {job.batch_size}")
            now[0] += 2.0

        return work

    monkeypatch.setattr(speed_reference, "prepare", ready)
    monkeypatch.setattr(speed_reference, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(memory, "release", lambda error=None: done.append("release" if error is None else "clean up"))
    monkeypatch.setattr(memory, "reset_peak", lambda: done.append("reset"))
    monkeypatch.setattr(memory, "peak_mib", lambda: float(len(done)))

    def ask(*jobs: ThesisJob | None) -> tuple[list[dict[str, Any]], list[str]]:
        lines = (json.dumps(None if job is None else asdict(job)) for job in jobs)
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        speed_reference.main()
        return [json.loads(line) for line in capfd.readouterr().out.splitlines()], done

    return ask


def test_a_job_is_prepared_and_warmed_up_once_and_timed_each_time(answers: Callable[..., Any]) -> None:
    other = replace(JOB, batch_size=3)
    said, done = answers(JOB, JOB, other, JOB)
    begin = ["release", "reset"]
    assert done == [
        *(*begin, "prepare 2", "call 2", "call 2", "call 2"),
        *(*begin, "prepare 3", "call 3", "call 3", *begin, "prepare 2", "call 2", "call 2"),
    ]
    assert [answer["seconds"] for answer in said] == [2.0] * 4
    assert [answer["peak_memory_mib"] for answer in said] == [5.0, 6.0, 11.0, 16.0]


def test_a_release_frees_the_job_and_an_error_leaves_the_process_alive(answers: Callable[..., Any]) -> None:
    said, done = answers(JOB, None, JOB, replace(JOB, variant="Z", batch_size=9), JOB)
    assert [list(answer) for answer in said[:3]] == [["seconds", "peak_memory_mib"]] * 3
    assert said[3] == {"error": "ValueError: no such variant"}
    assert said[4]["seconds"] == 2.0
    begin = ["release", "reset"]
    work = [*begin, "prepare 2", "call 2", "call 2"]
    assert done == [*work, *begin, *work, *begin, "prepare 9", "clean up", *work]


class Process:
    """In place of a process: answers what it is told to."""

    def __init__(self, *lines: str) -> None:
        self.stdin, self.stdout = io.StringIO(), io.StringIO("".join(f"{line}\n" for line in lines))
        self.killed = 0
        self.returncode = 3

    def kill(self) -> None:
        self.killed += 1

    def communicate(self) -> None: ...
    def wait(self) -> None: ...


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Processes in the order in which they are started; notes how."""

    def given(*processes: Process) -> list[Any]:
        left, how = list(processes), list[Any]()

        def start(command: list[str], **more: Any) -> Process:
            how.append((command, more))
            return left.pop(0)

        monkeypatch.setattr(speed_reference, "subprocess", SimpleNamespace(Popen=start, PIPE=-1))
        return how

    return given


def test_a_process_answers_many_jobs_and_ends_with_its_context(
    started: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    one = Process('{"seconds": 1.5, "peak_memory_mib": 7.0}', '{"error": "out of luck"}', "{}", *["{}"] * 2)
    how = started(one, Process())
    with ThesisPath(threads=3) as path:
        path.release()
        assert how == [], "nothing is started in order to be released"
        assert path.call(JOB) == Call(1.5, 7.0)
        with pytest.raises(BtlibError, match=r"^thesis path of G, training: out of luck"):
            path.call(replace(JOB, variant="G", work="training"))
        path.release()
        asked = [json.loads(line) for line in one.stdin.getvalue().splitlines()]
        assert asked == [asdict(JOB), asdict(replace(JOB, variant="G", work="training")), None]
        assert one.killed == 0
    assert one.killed == 1
    path.close()
    assert one.killed == 1
    ((command, more),) = how
    assert command == [sys.executable, "-m", "btlib.thesis.speed_reference"]
    assert more["env"]["OMP_NUM_THREADS"] == "3"
    assert not any(name.startswith("MALLOC_") for name in more["env"]), "it has the default allocator"
    assert str(Path(speed_reference.__file__).parents[2]) in more["env"]["PYTHONPATH"]


def test_a_process_that_died_is_told_and_the_next_call_starts_another(
    started: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    how = started(Process(), Process('{"seconds": 1.0, "peak_memory_mib": null}'), Process())
    path = ThesisPath()
    with pytest.raises(BtlibError, match=r"its process ended:\nexit code 3"):
        path.call(JOB)
    assert path.call(JOB) == Call(1.0, None)
    path.release()  # it has died meanwhile, which frees all
    assert len(how) == 2
    assert how[0][1]["env"]["OMP_NUM_THREADS"] == "9", "left to the user"
    path.close()


@pytest.mark.parametrize("work", ["inference", "training"])
def test_what_a_job_does_each_time(monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    create = Mock(wraps=models.create)
    monkeypatch.setattr(models, "create", create)
    seen, steps = list[tuple[Any, ...]](), list[Any]()
    loss = Trainee.loss

    def spy(self: Trainee, output: Any, batch: Any) -> Any:
        steps.append((self.training, [tuple(part.shape) for part in batch], self.recipe))
        return loss(self, output, batch)

    monkeypatch.setattr(Trainee, "loss", spy)
    state = torch.get_rng_state()
    call = prepare(replace(JOB, work=work, batch_size=4, image_size=48))
    torch.set_rng_state(state)
    create.assert_called_once_with("D", None, backbone="tiny", drifting_batch_norm=False)

    def look(module: torch.nn.Module, args: Any, output: Any) -> None:
        cudnn: Any = torch.backends.cudnn
        precision = cudnn.conv.fp32_precision
        seen.append((module.training, tuple(args[0].shape), torch.is_grad_enabled(), precision))

    hook = torch.nn.modules.module.register_module_forward_hook(look)
    try:
        call()
        call()
    finally:
        hook.remove()
    whole = [found for found in seen if found[1] == (4, 1, 48, 48)]
    training = work == "training"
    assert whole == [(training, (4, 1, 48, 48), training, "ieee")] * 2
    shapes = [(4, 1, 48, 48), (4, 1, 48, 48), (4,)]
    assert steps == ([(True, shapes, ThesisRecipe())] * 2 if training else [])
