"""Sources of samples. Reading, checking and caching are implemented once, outside the sources."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from btlib.data.patients import Patients
from btlib.data.sample import Sample
from btlib.data.task import Task
from btlib.registry import Registry
from btlib.types import Scaling

Mark = tuple[int, int]
"""Two non-negative integers by which a source recognises a sample: the first below 2**64, the second below 2**32."""


class SampleInfo(NamedTuple):
    """Facts about a sample that are known before its pixels are read.

    Attributes:
        id: Id, a text that is unique in the source.
        key: Key by which the source finds the sample, such as its file name.
        label: True class; None if there is none, or if it is not known before the sample is read.
        patient: Patient id; None if there is none, or if it is not known before the sample is read.
        volume: Volume that the sample belongs to; None if there is none, or if it is not known before reading.
    """

    id: str
    key: str = ""
    label: int | None = None
    patient: str | None = None
    volume: str | None = None


class DatasetSource(ABC):
    """Samples of a task in one place. A source is pickled and sent to worker processes, so it must be small."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """Task of its samples."""

    @property
    @abstractmethod
    def folder(self) -> Path | None:
        """Folder of its files; None if there are none."""

    @property
    def place(self) -> str:
        """Unique name of the source, also used in messages: the folder, or the name of the class without one."""
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        return kind if self.folder is None else str(self.folder)

    @property
    def hint(self) -> str:
        """Hint for the user about faulty samples."""
        return "replace or remove these samples"

    @property
    def default_scaling(self) -> Scaling:
        """Scaling if the user names none: "percentile", which suits every depth.

        Only the built-in tasks have "thesis", as in the thesis. It divides by 255, which has no meaning for images of
        12 or 16 bits.
        """
        return "percentile"

    def is_of(self, task: Task) -> bool:
        """Whether samples that are stored with this task belong to this source."""
        return task == self.task

    @abstractmethod
    def samples(self) -> Sequence[SampleInfo]:
        """List its samples in their order, without reading pixels.

        Raises:
            DataError: There are no samples, or a file has an invalid name.
        """

    @abstractmethod
    def signature(self) -> str:
        """Signature that changes whenever a sample may have changed. It uses sizes and times of files, not contents."""

    @abstractmethod
    def read(self, info: SampleInfo) -> Sample:
        """Read and check one sample.

        Raises:
            DataError: The sample is missing, damaged or invalid.
        """

    def official_split(self) -> Mapping[str, str] | None:
        """Return the part of every sample by its id, "train", "val" or "test"; None without an official split."""
        return None

    def file_facts(self, info: SampleInfo) -> Mapping[str, str]:
        """Return facts about the file of a sample that its pixels do not show, such as its format and colour mode.

        `btlib data audit` tests whether they tell the class or the part of the split. By default there are none.
        """
        return {}

    def check_scaling(self, info: SampleInfo, sample: Sample, scaling: Scaling) -> None:
        """Check whether the intensities of a sample may be scaled in this way; by default every scaling is allowed.

        Raises:
            DataError: The scaling has no meaning for these intensities.
        """
        return

    def mark(self, sample: Sample) -> Mark:
        """Numbers by which the source may recognise the sample; they are stored in the cache."""
        return 0, 0

    def patients(self, task: Task, ids: NDArray[np.str_], codes: Sequence[str | None], marks: NDArray[Any]) -> Patients:
        """Find the patients of the samples; by default they are the patient codes of the samples.

        Args:
            task: Stored task of the samples (no file is read to find it).
            ids: Ids of the samples, texts [n].
            codes: Patient code of each sample, None if it has none.
            marks: Results of `mark`, a structured array [n] with the fields "signature" and "area256".

        Raises:
            DataError: The codes contradict the known patients of the samples.
            ValueError, OverflowError: The source has no such ids, so the stored data are damaged.
        """
        return Patients(tuple(codes), "files" if any(codes) else None)


@dataclass(frozen=True)
class SourceKind:
    """Kind of folder that contains samples.

    Attributes:
        recognises: Function that returns whether a folder is of this kind, from the names of its files.
        open: Function that returns the source of such a folder.
    """

    recognises: Callable[[Path], bool]
    open: Callable[[Path], DatasetSource]


SOURCES: Registry[SourceKind] = Registry("source", "btlib.sources")
"""Kinds of folders by name. Other packages add kinds with an entry point in the group `btlib.sources`."""
