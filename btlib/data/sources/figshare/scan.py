"""Scan of a folder of slices: its contents and the faults of all files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from btlib.data.grouping import unknown
from btlib.data.patients import Patients
from btlib.data.sources.figshare.folder import slice_folder, sort_out
from btlib.data.sources.figshare.identify import identify
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.figshare.slice_file import Origin, read_slice
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.workers import map_files
from btlib.errors import DataError

_SHOWN = 10
"""Maximum number of slice numbers or names in a line."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Facts of a valid slice, without its pixels."""

    number: int
    label: int
    code: str | None
    shape: tuple[int, int]
    origin: Origin
    signature: int
    area256: int


@dataclass(frozen=True)
class ScanReport:
    """Result of the scan of a folder.

    Attributes:
        folder: Scanned folder.
        n: Number of valid slices.
        classes: Number of slices of each tumour type; all three types are listed.
        patients: Number of slices of each patient; the key None counts slices whose patient is unknown.
        sizes: Number of slices of each size (height, width) in pixels.
        origins: Number of slices of each origin, "figshare" or "phantom".
        faults: Errors, one for every faulty or missing file, and those of the folder itself.
        notes: Remarks that are not faults.
    """

    folder: Path
    n: int
    classes: Mapping[str, int]
    patients: Mapping[str | None, int]
    sizes: Mapping[tuple[int, int], int]
    origins: Mapping[Origin, int]
    faults: tuple[DataError, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


def scan(folder: Path | str, expect: int | None = None, progress: bool = False) -> ScanReport:
    """Read every slice of a folder and report all faults, instead of stopping at the first one.

    Args:
        folder: Folder that contains `1.mat`, `2.mat` …, directly or in `data/`.
        expect: Required number of slices, numbered 1…expect; by default gaps in the numbers are only noted.
        progress: Draw a progress bar on stderr.

    Raises:
        DataError: There is no such folder.
    """
    folder = slice_folder(Path(folder))
    names, faults = sort_out(folder)
    found: list[_Found] = []
    for result in map_files(_look, (folder / name for name in names.values()), len(names), "Checking slices", progress):
        if isinstance(result, DataError):
            faults.append(result)
        else:
            found.append(result)
    numbers = set(names)
    patients, clash = _patients(folder, found)
    faults += clash
    faults += _miscounted(folder, numbers, expect) + _mixed(folder, found)
    return ScanReport(
        folder=folder,
        n=len(found),
        classes={name: sum(one.label == k for one in found) for k, name in enumerate(FIGSHARE.classes)},
        patients=Counter(patients.ids),
        sizes=Counter(one.shape for one in found),
        origins=Counter(one.origin for one in found),
        faults=tuple(faults),
        notes=tuple(_gaps(numbers, expect) + _source(patients) + _torn_patients(patients, found)),
    )


def _look(path: Path) -> _Found:
    s = read_slice(path)
    return _Found(s.number, s.label, s.patient, (s.image.shape[0], s.image.shape[1]), s.origin, *mask_signature(s.mask))


def _patients(folder: Path, found: list[_Found]) -> tuple[Patients, list[DataError]]:
    """Return the patients of the slices, and a fault if the codes contradict the known patients."""
    codes = [one.code for one in found]
    if not found or any(one.origin == "phantom" for one in found):
        return Patients(tuple(codes), "files" if any(codes) else None), []
    numbers, areas = (np.array([getattr(one, name) for one in found], np.int64) for name in ("number", "area256"))
    try:
        return identify(numbers, codes, np.array([one.signature for one in found], np.uint64), areas, folder), []
    except DataError as clash:
        return Patients(tuple(codes), "files"), [clash]


def _source(patients: Patients) -> list[str]:
    if patients.source != "table":
        return []
    known = "the masks are those of the Figshare data set, so the patients are taken from btlib's patient table"
    strange = unknown(patients.ids)
    return [known + (f", except for {strange} unknown slices without a patient code" if strange else "")]


def _miscounted(folder: Path, numbers: set[int], expect: int | None) -> list[DataError]:
    if not numbers and not expect:
        return [DataError("no slices (1.mat, 2.mat …)", where=folder, hint="name the folder that contains them")]
    wanted = numbers if expect is None else set(range(1, expect + 1))
    missing = [
        DataError("is missing", where=folder / f"{number}.mat", hint="download the slices with `btlib data download`")
        for number in sorted(wanted - numbers)
    ]
    extra = [
        DataError(f"expected slices 1 to {expect} only", where=folder / f"{number}.mat", hint="remove it")
        for number in sorted(numbers - wanted)
    ]
    return missing + extra


def _mixed(folder: Path, found: list[_Found]) -> list[DataError]:
    phantoms = sum(one.origin == "phantom" for one in found)
    if phantoms in (0, len(found)):
        return []
    problem = f"{phantoms} of {len(found)} slices are phantoms"
    return [DataError(problem, where=folder, hint="use separate folders for phantom and real slices")]


def _gaps(numbers: set[int], expect: int | None) -> list[str]:
    largest = max(numbers, default=0)  # may be much larger than their count
    missing = largest - len(numbers)
    if expect is not None or not missing:
        return []
    first = list(islice((number for number in range(1, largest + 1) if number not in numbers), _SHOWN + 1))
    return [f"{missing} numbers between 1 and {largest} are missing: {_first(first)}"]


def _torn_patients(patients: Patients, found: list[_Found]) -> list[str]:
    """Note patients with several tumour types: in the data set each patient has one, so the ids may be mixed up."""
    pairs = {(patient, one.label) for patient, one in zip(patients.ids, found, strict=True) if patient is not None}
    torn = sorted(patient for patient, count in Counter(p for p, _ in pairs).items() if count > 1)
    known = len({patient for patient, _ in pairs})
    return [f"{len(torn)} of {known} patients have slices of more than one tumour type: {_first(torn)}"] if torn else []


def _first(items: Sequence[object], most: int = _SHOWN) -> str:
    """Join the first items, followed by "…" if there are more."""
    return ", ".join(map(str, items[:most])) + (" …" if len(items) > most else "")
