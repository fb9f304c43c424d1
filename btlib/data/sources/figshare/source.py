"""A folder of the Figshare article's slice files, `1.mat`, `2.mat` …, or of phantoms in the same layout."""

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


class FigshareSource(DatasetSource):
    """Slices of a folder, itself or its `data/`.

    Their task is what the first file that can be read says of itself. Patients are known by the masks, with codes in
    the files and without (see `btlib.data.patients`).

    Args:
        folder: The folder.

    Raises:
        DataError: No such folder, no slices in it, two files of one number (`7.mat`, `07.mat`), or another `.mat`.
    """

    def __init__(self, folder: Path | str) -> None:
        home, self._names = list_names(Path(folder))
        self._home = home.resolve()

    def __getstate__(self) -> dict[str, Any]:
        """Without the names, of which there may be many: a worker reads the samples that it is told."""
        return {"_home": self._home, "_names": [], "_first_file": self._first_file}

    @property
    def task(self) -> Task:
        """As its first file says: "figshare" or "phantom"; raises DataError of all files where none can be read."""
        return BUILT_IN[self._first_file[1]]

    @cached_property
    def _first_file(self) -> tuple[str, Origin]:
        """The first file that can be read, and what it says that it is."""
        faults = []
        for name in self._names:
            try:
                return name, read_slice(self._home / name).origin
            except DataError as fault:
                faults.append(fault)
        raise joined(faults, self._home, HINT)

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._home

    @property
    def hint(self) -> str:
        """The audit looks at every file."""
        return HINT

    def is_of(self, task: Task) -> bool:
        """Of one of its two tasks; which of them the files say, whose signature was compared."""
        return task in BUILT_IN.values()

    def samples(self) -> Sequence[SampleInfo]:
        """The slices in the order of their numbers; classes and patients stand in the files."""
        return [SampleInfo(str(slice_number(Path(name))), name) for name in self._names]

    def signature(self) -> str:
        """Of sizes, times and inodes of the files."""
        home = str(self._home)
        stats = ((name, os.stat(f"{home}{os.sep}{name}")) for name in self._names)  # noqa: PTH116 - thrice as fast
        return fingerprint.of([(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in stats])

    def read(self, info: SampleInfo) -> Sample:
        """Read and check a slice; raises DataError too where it is a phantom among real slices, or the reverse."""
        path = self._home / info.key
        read = read_slice(path)
        first, origin = self._first_file
        if read.origin != origin:
            raise DataError(
                f"says that it is of {read.origin!r}, and {first} that it is of {origin!r}",
                where=path,
                hint="keep phantom and real slices in folders of their own",
            )
        return read.sample

    def mark(self, sample: Sample) -> Mark:
        """Signature of the mask, and its area at 256×256 pixels."""
        return mask_signature(sample.mask[0])

    def patients(self, task: Task, ids: NDArray[np.str_], codes: Sequence[str | None], marks: NDArray[Any]) -> Patients:
        """Simulated slices are nobody's copy; the patients of real ones may be known."""
        if task.synthetic:
            return super().patients(task, ids, codes, marks)
        signatures, areas = marks["signature"].astype(np.uint64), marks["area256"].astype(np.int64)
        return identify(ids.astype(np.int64), codes, signatures, areas, self._home)


def _recognises(folder: Path) -> bool:
    return any(next(home.glob("*.mat"), None) is not None for home in (folder, folder / "data"))


SOURCES.add("figshare", SourceKind(_recognises, FigshareSource))
