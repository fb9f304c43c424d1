"""Source of samples from a folder of Figshare slice files, `1.mat`, `2.mat` …, or of phantoms in the same layout."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.faults import joined
from btlib.data.patients import Patients
from btlib.data.sample import Sample
from btlib.data.source import SOURCES, DatasetSource, Mark, SampleInfo, SourceKind
from btlib.data.sources.figshare.folder import HINT, list_names, slice_number
from btlib.data.sources.figshare.identify import identify
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.figshare.slice_file import Origin, read_slice
from btlib.data.sources.tasks import BUILT_IN
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.types import Scaling


class FigshareSource(DatasetSource):
    """Source of the slices in a folder or in its `data/`.

    The first readable file states the task. Patients are found by the masks, whether the files contain patient codes or
    not (see `btlib.data.sources.figshare.identify`).

    Args:
        folder: Folder of the slices.

    Raises:
        DataError: There is no such folder, it contains no slices, two files have one number (`7.mat`, `07.mat`), or
            there is another `.mat` file.
    """

    def __init__(self, folder: Path | str) -> None:
        home, self._names = list_names(Path(folder))
        self._home = home.resolve()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the names, of which there may be many: a worker gets the samples to read."""
        return {"_home": self._home, "_names": [], "_first_file": self._first_file}

    @property
    def task(self) -> Task:
        """Task that the first readable file states: "figshare" or "phantom"; DataError if no file can be read."""
        return BUILT_IN[self._first_file[1]]

    @cached_property
    def _first_file(self) -> tuple[str, Origin]:
        """Name of the first readable file, and the origin that it states."""
        faults = []
        for name in self._names:
            try:
                return name, read_slice(self._home / name).origin
            except DataError as fault:
                faults.append(fault)
        raise joined(faults, self._home, HINT)

    @property
    def default_scaling(self) -> Scaling:
        """The thesis's scaling."""
        return "thesis"

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return self._home

    @property
    def hint(self) -> str:
        """Hint for the user about faulty slices."""
        return HINT

    def is_of(self, task: Task) -> bool:
        """Whether the task is one of the two built-in tasks; the compared signature of the files decides which one."""
        return task in BUILT_IN.values()

    def samples(self) -> Sequence[SampleInfo]:
        """List the slices in the order of their numbers, without classes and patients, which are in the files."""
        return [SampleInfo(str(slice_number(Path(name))), name) for name in self._names]

    def signature(self) -> str:
        """Signature of the sizes, times and inodes of the files."""
        home = str(self._home)
        stats = ((name, os.stat(f"{home}{os.sep}{name}")) for name in self._names)  # noqa: PTH116 - three times as fast
        return fingerprint.of([(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in stats])

    def read(self, info: SampleInfo) -> Sample:
        """Read and check a slice; raises DataError also for a phantom among real slices, or the reverse."""
        path = self._home / info.key
        read = read_slice(path)
        first, origin = self._first_file
        if read.origin != origin:
            raise DataError(
                f"expected a slice of {origin!r} like {first}, found a slice of {read.origin!r}",
                where=path,
                hint="use separate folders for phantom and real slices",
            )
        return read.sample

    def mark(self, sample: Sample) -> Mark:
        """Signature of the mask, and its area at 256×256 pixels."""
        return mask_signature(sample.mask[0])

    def patients(self, task: Task, ids: NDArray[np.str_], codes: Sequence[str | None], marks: NDArray[Any]) -> Patients:
        """Find the patients: of simulated slices from their codes, of real slices with `identify`."""
        if task.synthetic:
            return super().patients(task, ids, codes, marks)
        signatures, areas = marks["signature"].astype(np.uint64), marks["area256"].astype(np.int64)
        return identify(ids.astype(np.int64), codes, signatures, areas, self._home)


def _recognises(folder: Path) -> bool:
    return any(next(home.glob("*.mat"), None) is not None for home in (folder, folder / "data"))


SOURCES.add("figshare", SourceKind(_recognises, FigshareSource))
