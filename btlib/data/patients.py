"""Who the slices of a folder belong to: by btlib's table where the slices are known, else by the codes in the files."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from btlib.data.patient_table import PatientTable, figshare_patients
from btlib.data.recognise import SHARE, recognise
from btlib.errors import BtlibWarning, DataError

PatientSource = Literal["files", "table"]
"""Where patient ids come from: the files' own codes (PID), or btlib's table of known slices."""

_SUFFIXED = re.compile(r"([A-Za-z]*[0-9]+)[A-Za-z]")


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of n slices.

    Attributes:
        ids: Patient of every slice, None where unknown. Codes that differ by a letter suffix are one person.
        source: Where they come from; None where no slice has one.
        folds: Stored fold of every patient, 1…5; None where there is none (`btlib.splits` then makes one).
    """

    ids: tuple[str | None, ...]
    source: PatientSource | None
    folds: Mapping[str, int] | None = None


def merged(code: str) -> str:
    """The code without its letter suffix, which marks a repeat scan of one person.

    >>> merged("MR040240B"), merged("MR040240"), merged("100360")
    ('MR040240', 'MR040240', '100360')
    """
    match = _SUFFIXED.fullmatch(code)
    return match[1] if match else code


def identify(
    numbers: NDArray[np.int64],
    codes: Sequence[str | None],
    signatures: NDArray[np.uint64],
    areas: NDArray[np.int64],
    folder: Path | None = None,
) -> Patients:
    """The patients of real slices.

    Slices of the Figshare data set are recognised by their masks, and their patients are then those of the table, with
    codes in the files and without. Of other slices the codes count, if there are any.

    Args:
        numbers: File numbers, int64 [n].
        codes: Code in every file, None where there is none.
        signatures: Of the masks, uint64 [n] (`btlib.data.recognise`).
        areas: Tumour pixels at 256×256, int64 [n].
        folder: Named in messages.

    Raises:
        DataError: The codes divide the recognised slices into other patients than the table does.
    """
    table = figshare_patients()
    found = recognise(numbers, signatures, areas, table)
    if found is None:
        ids = tuple(None if code is None else merged(code) for code in codes)
        return Patients(ids, None if all(name is None for name in ids) else "files")
    known = found > 0
    _check_codes(table, found, codes, folder)
    person_of_code = {code: str(table.persons[at - 1]) for code, at in zip(codes, found, strict=True) if at and code}
    ids = tuple(
        str(table.persons[at - 1]) if at else _stranger(code, person_of_code)
        for code, at in zip(codes, found, strict=True)
    )
    if None in ids:
        strange = numbers[[name is None for name in ids]].tolist()
        warnings.warn(
            f"{folder}: {known.sum()} of {len(known)} slices are known by their masks; not these, which have no "
            f"patient code: {', '.join(map(str, strange[:20]))}. So the patients of this folder are incomplete",
            BtlibWarning,
            stacklevel=2,
        )
    return Patients(ids, "table", {str(person): int(fold) for person, fold in enumerate(table.folds, start=1)})


def _stranger(code: str | None, person_of_code: Mapping[str, str]) -> str | None:
    """The patient of a slice that the table does not know, by the code that it shares with known slices."""
    return None if code is None else person_of_code.get(code, merged(code))


def _check_codes(
    table: PatientTable, found: NDArray[np.int64], codes: Sequence[str | None], folder: Path | None
) -> None:
    """Codes must divide the slices as the table's patients do, or its persons; their text does not matter."""
    rows = [(code, at - 1) for code, at in zip(codes, found.tolist(), strict=True) if code is not None and at]
    if not rows:
        return
    clash = [_clash(rows, of) for of in (table.patients, table.persons)]
    if None in clash:
        return
    raise DataError(
        f"{clash[0]}; at least {SHARE:.0%} of the files are slices of the Figshare data set, by their masks, and its "
        "patients are known",
        where=folder,
        mend="get the files again (`btlib data download`), or empty the PID of all of them, and the table is used",
    )


def _clash(rows: Sequence[tuple[str, int]], of_slice: NDArray[np.int64]) -> str | None:
    """The first pair of slices that the codes divide otherwise than the table; None where they agree."""
    by_code: dict[str, int] = {}
    by_known: dict[int, tuple[str, int]] = {}
    for code, at in rows:
        known = int(of_slice[at])
        first = by_code.setdefault(code, at)
        if of_slice[first] != known:
            return f"patient code {code!r} is on slices {first + 1} and {at + 1} of the table, which are two patients"
        other, earlier = by_known.setdefault(known, (code, at))
        if other != code:
            return f"slices {earlier + 1} and {at + 1} of the table are one patient, with codes {other!r} and {code!r}"
    return None
