"""Thesis path, the speed reference of A–G: a variant in plain PyTorch, IEEE fp32, NCHW, in a separate process.

The process has the default allocator and prepares one job at a time. It reads one line of JSON from standard input for
each call, and answers with one line of JSON.
"""

import contextlib
import gc
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
    """Job of the thesis path for one call.

    Attributes:
        variant: Letter of the variant.
        backbone: Name in the backbone registry.
        work: "inference" from images to probabilities in memory, or a "training" step with Adam.
        batch_size: Number of images in a call.
        image_size: Side of the images in pixels.
        device: Device, such as "cpu" or "cuda".
        drifting_batch_norm: Whether a frozen encoder's batch norm is in train mode in a training step.
    """

    variant: str
    backbone: str
    work: Literal["inference", "training"]
    batch_size: int
    image_size: int
    device: str
    drifting_batch_norm: bool = False


class ThesisPath:
    """Process of the thesis path, started by the first call. Use it as a context manager, or call `close`.

    Args:
        threads: Number of threads; None: PyTorch's default.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self._process: subprocess.Popen[str] | None = None
        self._stderr: Any = None

    def call(self, job: ThesisJob) -> Call:
        """Do a job once, warmed up.

        Raises:
            BtlibError: The process failed; the message contains its error output.
        """
        found = self._ask(self._process or self._start(), asdict(job))
        if "error" in found:
            raise BtlibError(found["error"], where=f"thesis path of {job.variant}, {job.work}")
        return Call(**found)

    def start(self) -> None:
        """Start the process if it is not running, and do not wait for it: it imports its libraries meanwhile."""
        if self._process is None:
            self._start()

    def release(self) -> None:
        """Free the model and memory of the last job, if the process runs; a process that has ended is ignored."""
        if self._process is not None:
            with contextlib.suppress(BtlibError):
                self._ask(self._process, None)

    def _ask(self, process: subprocess.Popen[str], question: dict[str, Any] | None) -> dict[str, Any]:
        """Send one line to the process and return its answer."""
        try:
            assert process.stdin is not None
            assert process.stdout is not None  # both are pipes
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise BtlibError(
                f"its process ended:\n{self._last_output()}",
                where="thesis path",
                hint="see its output above",
            )
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process; the next call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._stderr.close()
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
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "btlib.thesis.speed_reference"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env=environment,
        )
        return self._process

    def _last_output(self) -> str:
        assert self._process is not None
        self._process.wait()
        self._stderr.seek(0)
        output = self._stderr.read()[-1000:].strip() or f"exit code {self._process.returncode}"
        self.close()
        return output


class ThesisReference:
    """Thesis path of one variant, as the speed reference of its case.

    All references share one process, which prepares one job at a time.

    Args:
        variant: Letter of the variant.
        backbone: Name in the backbone registry.
        threads: Number of threads of the process; None: PyTorch's default.
        path: A separate process; None: the shared one.
        drifting_batch_norm: See `ThesisJob`.
    """

    kind = "thesis path"

    def __init__(
        self,
        variant: str,
        backbone: str,
        threads: int | None,
        path: ThesisPath | None = None,
        *,
        drifting_batch_norm: bool = False,
    ) -> None:
        self.name = f"thesis path of {variant}"
        self.variant, self.backbone, self.threads = variant, backbone, threads
        self.drifting_batch_norm = drifting_batch_norm
        self._path = path or _shared(threads)

    def call(self, job: Job) -> Call:
        """Do a job once, warmed up."""
        drifting = self.drifting_batch_norm
        return self._path.call(ThesisJob(self.variant, self.backbone, **asdict(job), drifting_batch_norm=drifting))

    def start(self) -> None:
        """Start the process without waiting for it."""
        self._path.start()

    def another(self) -> "ThesisReference":
        """Return the same reference in a separate process."""
        path, drifting = ThesisPath(self.threads), self.drifting_batch_norm
        return ThesisReference(self.variant, self.backbone, self.threads, path, drifting_batch_norm=drifting)

    def release(self) -> None:
        """Free the model and memory of the last job."""
        self._path.release()

    def close(self) -> None:
        """End the process; the next call of any reference that shares it starts another."""
        self._path.close()


@cache
def _shared(threads: int | None) -> ThesisPath:
    return ThesisPath(threads)


def prepare(job: ThesisJob) -> Callable[[], object]:
    """Return a function that does the job once and waits for the device; the model is untrained (same cost)."""
    import torch

    from btlib.adapters.devices import seed_rng, synchronize
    from btlib.speed.ieee import ieee_fp32
    from btlib.thesis.models import create

    device = torch.device(job.device)
    seed_rng(0, device)
    model = create(job.variant, None, backbone=job.backbone, drifting_batch_norm=job.drifting_batch_norm).to(device)
    images = torch.rand(job.batch_size, 1, job.image_size, job.image_size)
    if job.work == "inference":
        model.eval()

        def predict() -> None:
            with torch.no_grad(), ieee_fp32():
                for part in model(images.to(device)):
                    if part is not None:
                        part.cpu()

        return predict
    from btlib.thesis.training.module import Trainee  # Lightning takes seconds to import

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


def _import() -> None:
    """Import everything that jobs need; the garbage collector then skips it between jobs."""
    import btlib.thesis.models
    import btlib.thesis.training.module  # noqa: F401

    gc.collect()
    gc.freeze()


def _nothing() -> None:
    """Do nothing; the function between two jobs."""


def main() -> None:
    """Answer one call for each input line, until the input ends."""
    _import()
    current: ThesisJob | None = None
    function: Callable[[], object] | None = None
    with (
        os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers,
        contextlib.redirect_stdout(sys.stderr),  # text that a library prints is not an answer
    ):
        for line in sys.stdin:
            question = json.loads(line)
            job = None if question is None else ThesisJob(**question)
            answer: dict[str, Any] = {}
            try:
                if job != current or function is None:
                    current, function = job, None  # release the last model before the next one is built
                    memory.release()
                    memory.reset_peak()
                    function = _nothing if job is None else prepare(job)
                    function()
                began = time.perf_counter()
                function()
                answer = asdict(Call(time.perf_counter() - began, memory.peak_mib()))
            except Exception as error:  # sent to the caller; the process continues
                answer = {"error": f"{type(error).__name__}: {error}"}
                current, function = None, None
                memory.release(error)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
