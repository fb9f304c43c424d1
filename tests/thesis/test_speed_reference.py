"""The yardstick of speed: another process that does what the thesis did, and says so when it cannot."""

import io
import json
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import pytest
import torch

from btlib.errors import BtlibError
from btlib.thesis import speed_reference
from btlib.thesis.models import create
from btlib.thesis.models.variants import VARIANTS
from btlib.thesis.speed_reference import ThesisJob, ThesisPath, prepare

JOB = ThesisJob("D", "tiny", "inference", batch_size=2, image_size=32, device="cpu")


@pytest.fixture(scope="module")
def thesis() -> Iterator[ThesisPath]:
    with ThesisPath(threads=1) as path:
        yield path


@pytest.mark.nightly
@pytest.mark.parametrize("work", ["inference", "training"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_can_be_timed(thesis: ThesisPath, variant: str, work: str):
    call = thesis.call(replace(JOB, variant=variant, work=work))
    assert call.seconds > 0
    assert call.peak_memory_mib is None or call.peak_memory_mib > 10


def test_a_release_starts_no_process_and_ends_none(thesis: ThesisPath):
    unused = ThesisPath()
    unused.release()
    assert unused._process is None
    thesis.call(JOB)
    process = thesis._process
    thesis.release()
    assert thesis.call(JOB).seconds > 0
    assert thesis._process is process


def test_it_is_started_once_and_not_waited_for(thesis: ThesisPath):
    thesis.start()
    process = thesis._process
    assert process is not None
    thesis.start()
    assert thesis._process is process
    assert thesis.call(JOB).seconds > 0
    assert thesis._process is process


def test_a_job_that_fails_is_told_and_the_next_is_done(thesis: ThesisPath):
    with pytest.raises(BtlibError, match="unknown variant 'Z'"):
        thesis.call(replace(JOB, variant="Z"))
    assert thesis.call(JOB).seconds > 0


@pytest.mark.nightly  # a process that imports torch takes seconds
def test_a_process_that_died_is_told_and_started_again_and_the_context_ends_it(thesis: ThesisPath):
    with thesis:
        thesis.call(JOB)
        assert thesis._process is not None
        thesis._process.kill()
        with pytest.raises(BtlibError, match="its process ended"):
            thesis.call(JOB)
        assert thesis.call(JOB).seconds > 0
        process = thesis._process
        assert process is not None
    assert process.poll() is not None


def test_a_training_step_is_a_training_step(monkeypatch: pytest.MonkeyPatch):
    """Weights move as Adam moves them: by the learning rate in the first step."""
    torch.manual_seed(0)
    made = create("D", None, backbone="tiny")
    before = {name: value.clone() for name, value in made.named_parameters()}
    monkeypatch.setattr("btlib.thesis.models.create", lambda *args, **kwargs: made)
    prepare(replace(JOB, work="training"))()
    moved = max((value - before[name]).abs().max().item() for name, value in made.named_parameters())
    assert moved == pytest.approx(1e-3, rel=0.01)


def test_between_cases_the_last_job_is_let_go(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """As the process does it: what a job held is gone when it is asked to release it, and when another job comes."""
    made: list[weakref.ref[Callable[[], None]]] = []
    alive: list[int] = []

    def prepare(job: ThesisJob) -> Callable[[], None]:
        alive.append(sum(ref() is not None for ref in made))

        def work() -> None: ...

        made.append(weakref.ref(work))
        return work

    jobs = [asdict(JOB), asdict(replace(JOB, batch_size=3)), None, asdict(JOB), None]
    monkeypatch.setattr(speed_reference, "prepare", prepare)
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{json.dumps(job)}\n" for job in jobs)))
    speed_reference.main()
    assert alive == [0, 0, 0]
    assert made[-1]() is None
    assert len(capfd.readouterr().out.splitlines()) == len(jobs)
