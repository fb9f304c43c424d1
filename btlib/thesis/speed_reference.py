"""The thesis's way of running a variant, the yardstick of speed: plain PyTorch, IEEE fp32, NCHW, in its own process.

The process has the default allocator and keeps one job at a time. It is asked over its standard input, a line of JSON
for each call, and answers with a line of JSON.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, Self

from btlib.errors import BtlibError
from btlib.speed import memory
from btlib.speed.reference import Call, Job
from btlib.thesis.recipe import ThesisRecipe


@dataclass(frozen=True)
class ThesisJob:
    """What the thesis path is to do in one call.

    Attributes:
        variant: Letter of the variant.
        backbone: Name in the backbone registry.
        work: "inference" from images to probabilities in memory, or a "training" step with Adam.
        batch_size: Slices in a call.
        image_size: Their side in pixels.
        device: Such as "cpu" or "cuda".
    """

    variant: str
    backbone: str
    work: Literal["inference", "training"]
    batch_size: int
    image_size: int
    device: str


class ThesisPath:
    """The process, started with the first call; a context, or to be closed.

    Args:
        threads: Processors it may use; None leaves that to PyTorch.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._process: subprocess.Popen[str] | None = None
        self._said: Any = None

    def call(self, job: ThesisJob) -> Call:
        """Do a job once, warmed up.

        Raises:
            BtlibError: The process failed; with what it said.
        """
        found = self._ask(self._process or self._start(), asdict(job))
        if "error" in found:
            raise BtlibError(found["error"], where=f"thesis path of {job.variant}, {job.work}")
        return Call(**found)

    def release(self) -> None:
        """Let the process, where there is one, free the model and memory of its last job; one that died has none."""
        if self._process is not None:
            with contextlib.suppress(BtlibError):
                self._ask(self._process, None)

    def _ask(self, process: subprocess.Popen[str], question: dict[str, Any] | None) -> dict[str, Any]:
        """A line to the process, and its answer."""
        try:
            assert process.stdin is not None
            assert process.stdout is not None  # both are pipes
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise BtlibError(f"its process ended:\n{self._last_words()}", where="thesis path", hint="see its message")
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process; the next call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._said.close()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        if self.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.threads)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "btlib.thesis.speed_reference"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=environment,
        )
        return self._process

    def _last_words(self) -> str:
        assert self._process is not None
        self._process.wait()
        self._said.seek(0)
        words = self._said.read()[-1000:].strip() or f"exit code {self._process.returncode}"
        self.close()
        return words


class ThesisReference:
    """The thesis path of one variant, as the speed reference of its case.

    All of them share one process, which keeps one job at a time.

    Args:
        variant: Letter of the variant.
        backbone: Name in the backbone registry.
        threads: Processors that the process may use; None leaves that to PyTorch.
        path: A process of its own; None takes the shared one.
    """

    kind = "thesis path"

    def __init__(self, variant: str, backbone: str, threads: int | None, path: ThesisPath | None = None) -> None:
        self.name = f"thesis path of {variant}"
        self.variant, self.backbone, self.threads = variant, backbone, threads
        self._path = path or _shared(threads)

    def call(self, job: Job) -> Call:
        """Do a job once, warmed up."""
        return self._path.call(ThesisJob(self.variant, self.backbone, **asdict(job)))

    def another(self) -> "ThesisReference":
        """The same in another process."""
        return ThesisReference(self.variant, self.backbone, self.threads, ThesisPath(self.threads))

    def release(self) -> None:
        """Let the process free what it did last."""
        self._path.release()

    def close(self) -> None:
        """End the process; whoever shares it starts another with the next call."""
        self._path.close()


@cache
def _shared(threads: int | None) -> ThesisPath:
    return ThesisPath(threads)


def prepare(job: ThesisJob) -> Callable[[], object]:
    """What does the job once and returns when the device is done; the model is untrained, which costs the same."""
    import torch

    from btlib.adapters.devices import seed_rng, synchronize
    from btlib.speed.ieee import ieee_fp32
    from btlib.thesis.models import create

    device = torch.device(job.device)
    seed_rng(0, device)
    model = create(job.variant, None, backbone=job.backbone).to(device)
    images = torch.rand(job.batch_size, 1, job.image_size, job.image_size)
    if job.work == "inference":
        model.eval()

        def predict() -> None:
            with torch.no_grad(), ieee_fp32():
                for part in model(images.to(device)):
                    if part is not None:
                        part.cpu()

        return predict
    from btlib.thesis.training.module import Trainee  # brings in Lightning, which takes seconds

    recipe = ThesisRecipe()
    trainee = Trainee(model, recipe, seed=0, threshold=0.5).train()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=recipe.learning_rate)
    batch = (images, (images > 0.5).float(), torch.arange(job.batch_size) % 3)

    def step() -> None:
        here = (batch[0].to(device), batch[1].to(device), batch[2].to(device))
        with ieee_fp32():
            loss = trainee.loss(model(here[0]), here)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
        optimizer.step()
        synchronize(device)

    return step


def _nothing() -> None:
    """Between two jobs."""


def main() -> None:
    """Answer one call a line, until the input ends."""
    current: ThesisJob | None = None
    function: Callable[[], object] | None = None
    with (
        os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers,
        contextlib.redirect_stdout(sys.stderr),  # whatever a library prints must not be taken for an answer
    ):
        for line in sys.stdin:
            question = json.loads(line)
            job = None if question is None else ThesisJob(**question)
            answer: dict[str, Any] = {}
            try:
                if job != current or function is None:
                    current, function = job, None  # the last model goes before the next one comes
                    memory.release()
                    memory.reset_peak()
                    function = _nothing if job is None else prepare(job)
                    function()
                began = time.perf_counter()
                function()
                answer = asdict(Call(time.perf_counter() - began, memory.peak_mib()))
            except Exception as error:  # told to the one who asked, and the process lives on
                answer = {"error": f"{type(error).__name__}: {error}"}
                current, function = None, None
                memory.release(error)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
