"""Who the slices of a folder belong to: by btlib's table where the slices are known, else by the codes in the files."""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib.data.patients import Patients
from btlib.data.sources.figshare.patient_table import PatientTable, figshare_patients
from btlib.data.sources.figshare.recognise import SHARE, is_copy, recognise
from btlib.errors import BtlibWarning, DataError

_SUSPECT = 0.5  # of the files: a share of known slices that is no coincidence
_SUFFIXED = re.compile(r"([A-Za-z]*[0-9]+)[A-Za-z]")


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
        signatures: Of the masks, uint64 [n] (`btlib.data.sources.figshare.recognise`).
        areas: Tumour pixels at 256×256, int64 [n].
        folder: Named in messages.

    Raises:
        DataError: The codes divide the recognised slices into other patients than the table does.
    """
    table = figshare_patients()
    found = recognise(numbers, signatures, areas, table)
    share = np.count_nonzero(found) / len(found)
    if not is_copy(found):
        if share > _SUSPECT:
            _warn(
                folder,
                f"{share:.1%} of the slices are those of the Figshare data set, by their masks. That is less than "
                f"{SHARE:.0%}, so the table of its patients is not used, but the codes in the files, if there are any",
            )
        ids = tuple(None if code is None else merged(code) for code in codes)
        return Patients(ids, None if all(name is None for name in ids) else "files")
    _check_codes(table, found, numbers, codes, folder)
    person_of_code = {code: str(table.persons[at - 1]) for code, at in zip(codes, found, strict=True) if at and code}
    ids = tuple(
        str(table.persons[at - 1]) if at else _stranger(code, person_of_code)
        for code, at in zip(codes, found, strict=True)
    )
    strange = numbers[[name is None for name in ids]].tolist()
    if strange:
        _warn(
            folder,
            f"{len(ids) - len(strange)} of {len(ids)} slices are known; not these, which have no patient code: "
            f"{', '.join(map(str, strange[:20]))}. So the patients of this folder are incomplete",
        )
    return Patients(ids, "table", {str(person): int(fold) for person, fold in enumerate(table.folds, start=1)})


def _warn(folder: Path | None, text: str) -> None:
    warnings.warn(f"{folder}: {text}", BtlibWarning, stacklevel=3)


def _stranger(code: str | None, person_of_code: Mapping[str, str]) -> str | None:
    """The patient of a slice that the table does not know: who shares its code, else someone of a name of their own."""
    return None if code is None else person_of_code.get(code, f"code {merged(code)}")


def _check_codes(
    table: PatientTable,
    found: NDArray[np.int64],
    numbers: NDArray[np.int64],
    codes: Sequence[str | None],
    folder: Path | None,
) -> None:
    """Codes must divide the slices as the table's patients do, or its persons; their text does not matter."""
    rows = [
        (code, number, at - 1)
        for code, number, at in zip(codes, numbers.tolist(), found.tolist(), strict=True)
        if code is not None and at
    ]
    clash = [_clash(rows, of) for of in (table.patients, table.persons)]
    if None in clash:
        return
    raise DataError(
        f"{clash[0]}; at least {SHARE:.0%} of the files are slices of the Figshare data set, by their masks, and its "
        "patients are known",
        where=folder,
        hint="get the files again (`btlib data download`), or empty the PID of all of them, and the table is used",
    )


def _clash(rows: Sequence[tuple[str, int, int]], of_slice: NDArray[np.int64]) -> str | None:
    """The first two files that the codes divide otherwise than the table; None where they agree."""
    by_code: dict[str, tuple[int, int]] = {}
    by_known: dict[int, tuple[str, int]] = {}
    for code, number, at in rows:
        known = int(of_slice[at])
        first, first_known = by_code.setdefault(code, (number, known))
        if first_known != known:
            return f"patient code {code!r} is on slices {first} and {number}, which are of two patients"
        other, earlier = by_known.setdefault(known, (code, number))
        if other != code:
            return f"slices {earlier} and {number} are of one patient, and have the codes {other!r} and {code!r}"
    return None
