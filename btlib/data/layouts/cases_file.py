"""`cases.csv` of an export: the id, class, patient and volume of each exported case."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from btlib.data.sources.table.task_file import TaskFile
from btlib.errors import DataError
from btlib.files import atomic_path

CASES = "cases.csv"


class CaseRow(NamedTuple):
    """Facts of a case; "" is an unknown fact.

    Attributes:
        case: Name of the case in the export.
        id: Id of the sample in btlib.
        label: Class.
        patient: Patient id.
        volume: Volume id.
    """

    case: str
    id: str
    label: str = ""
    patient: str = ""
    volume: str = ""


def write_cases(folder: Path, rows: Sequence[CaseRow]) -> None:
    """Write `cases.csv`, atomically."""
    with atomic_path(folder / CASES) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([CaseRow._fields, *rows])


def own_task(value: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `task.toml` that an export of btlib stored in the field "btlib" of its JSON file; empty without it.

    Raises:
        DataError: The field is damaged.
    """
    own = value.get("btlib")
    if own is None:
        return {}
    names = ("classes", "mask_values", "spacing_mm")
    try:
        found = {name: own[name] for name in names if own[name]}
        TaskFile.model_validate(found)
    except (TypeError, LookupError, ValueError) as error:
        raise DataError(f"btlib: is damaged: {error}", hint="remove this field, or export again") from error
    return found


def read_cases(folder: Path) -> dict[str, CaseRow]:
    """Read `cases.csv` by the names of the cases; empty if there is no such file, or another one of this name.

    Raises:
        DataError: The file is damaged, or a case occurs twice.
    """
    path = folder / CASES
    if not path.is_file():
        return {}
    found: dict[str, CaseRow] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            if tuple(next(lines, ())) != CaseRow._fields:
                return {}
            for number, cells in enumerate(lines, start=2):
                if len(cells) != len(CaseRow._fields):
                    raise DataError(
                        f"row {number}: expected {len(CaseRow._fields)} cells, got {len(cells)}", where=path
                    )
                if found.setdefault(cells[0], row := CaseRow(*cells)) is not row:
                    raise DataError(f"row {number}: the case {cells[0]!r} occurs twice", where=path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", where=path, hint="remove the file, or export again") from error
    return found
