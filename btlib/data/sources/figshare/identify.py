"""Patients of a folder's slices: from btlib's table if the slices are known, otherwise from the codes in the files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib.data.patients import Patients
from btlib.data.sources.figshare.patient_table import PatientTable, figshare_patients
from btlib.data.sources.figshare.recognise import SHARE, is_copy, recognise
from btlib.errors import DataError, warn

_SUSPECT = 0.5  # share of known slices among the files that cannot be a coincidence
_SUFFIXED = re.compile(r"([A-Za-z]*[0-9]+)[A-Za-z]")


def merged(code: str) -> str:
    """Return the code without its letter suffix, which marks a repeat scan of one person.

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
    """Find the patients of real slices.

    Slices of the Figshare data set are recognised by their masks. Their patients are then read from the table, whether
    the files contain patient codes or not. For other slices the codes are used, if there are any.

    Args:
        numbers: File numbers, int64 [n].
        codes: Patient code in every file, None if the file has none.
        signatures: Signatures of the masks, uint64 [n] (`btlib.data.sources.figshare.recognise`).
        areas: Tumour pixels at 256×256, int64 [n].
        folder: Folder that messages name.

    Raises:
        DataError: The codes assign the recognised slices to patients in a different way than the table.
    """
    table = figshare_patients()
    found = recognise(numbers, signatures, areas, table)
    share = np.count_nonzero(found) / len(found)
    if not is_copy(found):
        if share > _SUSPECT:
            _warn(
                folder,
                f"{share:.1%} of the slices have masks of the Figshare data set. This is less than {SHARE:.0%}, so "
                "the data set's patient table is not used; the patient codes in the files are used, if there are any",
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
            f"{len(ids) - len(strange)} of {len(ids)} slices are known. The following slices are unknown and have no "
            f"patient code: {', '.join(map(str, strange[:20]))}. The patients of this folder are therefore incomplete",
        )
    return Patients(ids, "table", {str(person): int(fold) for person, fold in enumerate(table.folds, start=1)})


def _warn(folder: Path | None, text: str) -> None:
    warn(f"{folder}: {text}", stacklevel=3)


def _stranger(code: str | None, person_of_code: Mapping[str, str]) -> str | None:
    """Patient of a slice that is not in the table: the known patient with its code, otherwise a name from the code."""
    return None if code is None else person_of_code.get(code, f"code {merged(code)}")


def _check_codes(
    table: PatientTable,
    found: NDArray[np.int64],
    numbers: NDArray[np.int64],
    codes: Sequence[str | None],
    folder: Path | None,
) -> None:
    """Check that the codes group the slices like the table's patients or persons; their text does not matter."""
    rows = [
        (code, number, at - 1)
        for code, number, at in zip(codes, numbers.tolist(), found.tolist(), strict=True)
        if code is not None and at
    ]
    clash = [_clash(rows, of) for of in (table.patients, table.persons)]
    if None in clash:
        return
    raise DataError(
        f"{clash[0]}. This contradicts the patient table: at least {SHARE:.0%} of the files have masks of the Figshare "
        "data set, whose patients are known",
        where=folder,
        hint="download the files again (`btlib data download`), or empty the PID of all files to use the table",
    )


def _clash(rows: Sequence[tuple[str, int, int]], of_slice: NDArray[np.int64]) -> str | None:
    """Describe the first two files that the codes group in a different way than the table; None if they agree."""
    by_code: dict[str, tuple[int, int]] = {}
    by_known: dict[int, tuple[str, int]] = {}
    for code, number, at in rows:
        known = int(of_slice[at])
        first, first_known = by_code.setdefault(code, (number, known))
        if first_known != known:
            return f"slices {first} and {number} belong to different patients, but have the same code {code!r}"
        other, earlier = by_known.setdefault(known, (code, number))
        if other != code:
            return f"slices {earlier} and {number} belong to one patient, but have the codes {other!r} and {code!r}"
    return None
