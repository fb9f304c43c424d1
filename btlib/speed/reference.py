"""Reference for the speed of a case: another implementation of the same work, timed in turns with the case."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from btlib.protocol import Recipe


@dataclass(frozen=True)
class Job:
    """Work of a reference in one call.

    Attributes:
        work: "inference" from images to probabilities in memory, or one "training" step.
        batch_size: Number of samples per call.
        image_size: Side of the samples in pixels.
        device: Name of the device, such as "cpu" or "cuda:1".
    """

    work: Literal["inference", "training"]
    batch_size: int
    image_size: int
    device: str


@dataclass(frozen=True)
class Call:
    """One timed call.

    Attributes:
        seconds: Duration in seconds.
        peak_memory_mib: Peak memory of its process since the start of the job, in MiB; None if the system does not
            report it.
    """

    seconds: float
    peak_memory_mib: float | None


class SpeedReference(Protocol):
    """Interface of a reference that runs and times jobs.

    Attributes:
        name: Name shown next to a ratio.
        kind: Kind of the reference. The noise between two equal references is the same for all of one kind, so it is
            measured once per kind.
    """

    name: str
    kind: str

    def call(self, job: Job) -> Call | None:
        """Run a job once after warm-up and time it; None for work that the reference does not support.

        Raises:
            BtlibError: The job failed.
        """
        ...

    def start(self) -> None:
        """Start what takes long, such as a process, without waiting for it; nothing if there is nothing to start."""
        ...

    def another(self) -> Self:
        """Return a second reference of the same kind; the difference between the two is noise."""
        ...

    def release(self) -> None:
        """Release the memory of the last job."""
        ...

    def close(self) -> None:
        """End all processes and other resources that the reference started."""
        ...


MakeReference = Callable[[Recipe, int | None], SpeedReference]
"""Function from a recipe and the number of threads (None: default) to a reference."""
