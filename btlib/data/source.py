"""Where samples come from. What is done with them (reading, checking, caching) is written once, above the sources."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from btlib.data.patients import Patients
from btlib.data.sample import Sample
from btlib.data.task import Task
from btlib.registry import Registry

Mark = tuple[int, int]
"""What a source recognises a sample by, two numbers from 0: below 2**64, and below 2**32."""


class SampleInfo(NamedTuple):
    """What is known of a sample before its pixels are read.

    Attributes:
        id: Text, unique in the source.
        key: What the source finds it by, such as the name of its file.
        label: True class; None where there is none, or it is not known before the sample is read.
        patient: Patient id; None likewise.
        volume: The volume that it is a part of; None likewise.
    """

    id: str
    key: str = ""
    label: int | None = None
    patient: str | None = None
    volume: str | None = None


class DatasetSource(ABC):
    """The samples of a task in one place. It is pickled into worker processes, so it must be small."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """What is asked of its samples."""

    @property
    @abstractmethod
    def folder(self) -> Path | None:
        """Where its files lie; None where there are none."""

    @property
    def place(self) -> str:
        """Tells it from other sources, and names it in messages; the folder, where there is one."""
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        return kind if self.folder is None else str(self.folder)

    @property
    def hint(self) -> str:
        """What a user can do about faulty samples."""
        return "replace or remove these samples"

    def is_of(self, task: Task) -> bool:
        """Whether samples that are stored under a task are those of this source."""
        return task == self.task

    @abstractmethod
    def samples(self) -> Sequence[SampleInfo]:
        """Its samples in their order, without reading pixels.

        Raises:
            DataError: There are none, or their files have names that cannot be.
        """

    @abstractmethod
    def signature(self) -> str:
        """Changes whenever a sample may have changed; had from sizes and times of files, not from their content."""

    @abstractmethod
    def read(self, info: SampleInfo) -> Sample:
        """Read and check one sample.

        Raises:
            DataError: It is missing, damaged, or not what it should be.
        """

    def mark(self, sample: Sample) -> Mark:
        """What the source may recognise a sample by; it is stored in the cache."""
        return 0, 0

    def patients(self, task: Task, ids: NDArray[np.str_], codes: Sequence[str | None], marks: NDArray[Any]) -> Patients:
        """Who the samples belong to: by default whom they name.

        Args:
            task: Theirs, as it is stored: nothing need be read to know it.
            ids: Of the samples, text [n].
            codes: The patient that each names, None where it names none.
            marks: By `mark`, a structured array [n] with the fields "signature" and "area256".

        Raises:
            DataError: What they name contradicts what is known of them.
            ValueError, OverflowError: The source has no such ids, so what is stored is damaged.
        """
        return Patients(tuple(codes), "files" if any(codes) else None)


@dataclass(frozen=True)
class SourceKind:
    """A kind of folder that holds samples.

    Attributes:
        recognises: Whether a folder is of this kind, by the names of its files.
        open: The source of such a folder.
    """

    recognises: Callable[[Path], bool]
    open: Callable[[Path], DatasetSource]


SOURCES: Registry[SourceKind] = Registry("source", "btlib.sources")
"""Kinds of folders by name. Other packages bring kinds by an entry point in the group `btlib.sources`."""
