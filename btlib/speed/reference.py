"""What the speed of a case is compared with: the same work, done another way, in turns with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from btlib.protocol import Recipe


@dataclass(frozen=True)
class Job:
    """What a reference is to do in one call.

    Attributes:
        work: "inference" from images to probabilities in memory, or a "training" step.
        batch_size: Samples in a call.
        image_size: Their side in pixels.
        device: Such as "cpu" or "cuda:1".
    """

    work: Literal["inference", "training"]
    batch_size: int
    image_size: int
    device: str


@dataclass(frozen=True)
class Call:
    """One timed call.

    Attributes:
        seconds: It took.
        peak_memory_mib: Largest memory of its process since the job was begun; None where the system does not tell.
    """

    seconds: float
    peak_memory_mib: float | None


class SpeedReference(Protocol):
    """Does jobs and times them.

    Attributes:
        name: What it is called beside a ratio.
        kind: References of one kind differ from their twins alike, so that this is measured once for all of them.
    """

    name: str
    kind: str

    def call(self, job: Job) -> Call | None:
        """Do a job once and time it, warmed up; None for work that it cannot do.

        Raises:
            BtlibError: It failed.
        """
        ...

    def another(self) -> Self:
        """Another one of its kind: what the two differ by is noise."""
        ...

    def release(self) -> None:
        """Free the memory of the last job."""
        ...

    def close(self) -> None:
        """End what it started."""
        ...


MakeReference = Callable[[Recipe, int | None], SpeedReference]
"""Given a recipe and the number of threads (None: as usual), returns a reference."""
