"""Reading of `metadata.csv`. All faults of the table are reported in one error."""

import csv
import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from btlib.data.faults import joined
from btlib.data.patients import shared_volume
from btlib.data.sources.table.row import TABLE, UNION, Row
from btlib.errors import DataError

COLUMNS = ("file_name", "mask", "label", "patient", "volume", "split", "slice", "axis")
HINT = "correct metadata.csv; docs/tasks.md describes its columns"
LARGEST = 2**28
"""Maximum size of the table in bytes."""

_PARTS = {"train": "train", "val": "val", "validation": "val", "test": "test", "": ""}
_MASK, _CHANNEL = "mask:", "channel:"
_LARGEST_NUMBER = 10**9


@dataclass(frozen=True)
class Table:
    """Content of `metadata.csv`.

    Attributes:
        rows: Rows in their order; at least one.
        structures: Names of the columns `mask:NAME`, in their order; empty if there are none.
        has_mask: Whether there is a column `mask`.
        has_labels: Whether the rows have labels.
        channels: Names of the columns `channel:NAME`, the channels after that of `file_name`; empty if there are none.
    """

    rows: tuple[Row, ...]
    structures: tuple[str, ...]
    has_mask: bool
    has_labels: bool
    channels: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read and check the table, without looking for its files.

    Raises:
        DataError: The table cannot be read, or has faults (one error names all of them with their rows).
    """
    header, cells = _cells(_text(path), path)
    masks = [name for name in header if name == "mask" or name.startswith(_MASK)]
    channels = [name for name in header if name.startswith(_CHANNEL)]
    rows, faults = [], []
    for number, values in cells:
        if len(values) != len(header):
            problem = f"row {number}: expected {len(header)} cells, as in the header, got {len(values)}"
            faults.append(DataError(problem, where=path))
            continue
        try:
            rows.append(_row(number, dict(zip(header, values, strict=True)), masks, channels))
        except DataError as fault:
            faults.append(fault)
    faults += [*_duplicates(rows), *_gaps(rows), *_of_parts(rows, path), *_of_volumes(rows, path)]
    if faults:
        located = [DataError(fault.problem, where=path, hint=fault.hint or HINT) for fault in faults]
        raise joined(located, path, HINT, what="faults")
    if not rows:
        raise DataError("the table has no rows", where=path, hint="add one row for each image")
    structures = tuple(name.removeprefix(_MASK) for name in masks if name != "mask")
    names = tuple(name.removeprefix(_CHANNEL) for name in channels)
    return Table(tuple(_with_volumes(rows)), structures, "mask" in masks, bool(rows[0].label), names)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"expected at most {LARGEST} bytes", where=path, hint="split the data set")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot be read: {error}", where=path) from error
    except UnicodeDecodeError as error:
        raise DataError(f"expected UTF-8: {error}", where=path, hint='save the table as "CSV UTF-8"') from error
    if "\0" in text:
        raise DataError("contains NUL characters", where=path, hint='save the table as "CSV UTF-8"')
    return text


def _cells(text: str, path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the header, and the rows with their numbers. The separator is a comma, semicolon or tab."""
    first = text.lstrip("\r\n").partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [[cell.strip() for cell in line] for line in reader]
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: {error}", where=path, hint=HINT) from error
    numbered = ((k, line) for k, line in enumerate(lines, start=1) if any(line))
    _, header = next(numbered, (0, []))
    _check_header(header, path)
    return header, numbered


def _check_header(header: Sequence[str], path: Path) -> None:
    if "file_name" not in header:
        found = ", ".join(header[:20]) or "nothing"
        raise DataError(f"expected a column file_name, found {found}", where=path, hint=HINT)
    twice = sorted({name for name in header if header.count(name) > 1 and name})
    if twice:
        raise DataError(f"columns occur more than once: {', '.join(twice)}", where=path, hint=HINT)
    if "mask" in header and any(name.startswith(_MASK) for name in header):
        raise DataError("expected either the column mask or columns mask:NAME, found both", where=path, hint=HINT)
    for prefix, what in ((_MASK, "structure"), (_CHANNEL, "channel")):
        if prefix in header:
            raise DataError(f"expected the name of a {what} after {prefix}", where=path, hint=HINT)
    for name in header:
        if name in COLUMNS or name.startswith((_MASK, _CHANNEL)):
            continue
        kind, colon, _ = name.lower().partition(":")
        known = [_MASK, _CHANNEL] if colon else [column for column in COLUMNS if column not in header]
        near = difflib.get_close_matches(kind + colon, known, n=1, cutoff=0.8)
        if near:  # an ignored column of patients would let patients leak into the test set
            problem = f"unknown column {name!r}, which is similar to {near[0]!r}"
            raise DataError(
                problem, where=path, hint=f"rename the column to {near[0]}{'NAME' if colon else ''}, or to another name"
            )


def _row(number: int, cells: dict[str, str], masks: Sequence[str], channels: Sequence[str]) -> Row:
    """Make a row; raises DataError for an invalid path, number or part of the split."""
    plain = Row(number, cells["file_name"] or "no file name")
    part = cells.get("split", "").lower()
    if part not in _PARTS:
        raise plain.fault(f"split: expected train, val or test, got {part!r}")
    for name in channels:
        if not cells[name]:
            raise plain.fault(f"{name}: expected the path of a file, found a blank cell")
    of_masks = (text for name in masks if cells[name] for text in cells[name].split(UNION))
    for text in (cells["file_name"], *(cells[name] for name in channels), *of_masks):
        if problem := outside(text):
            raise plain.fault(problem, "name files in the folder of metadata.csv, such as images/1.png")
    return Row(
        number,
        PurePosixPath(cells["file_name"]).as_posix(),
        tuple(_plain(cells[name]) for name in masks),
        label=cells.get("label", ""),
        patient=cells.get("patient", ""),
        volume=cells.get("volume", ""),
        part=_PARTS[part],
        slice=_number(plain, "slice", cells.get("slice", "")),
        axis=_number(plain, "axis", cells.get("axis", "")),
        channels=tuple(PurePosixPath(cells[name]).as_posix() for name in channels),
    )


def _plain(cell: str) -> str:
    """Return the cell of a mask with paths in their plain form; "" for a blank cell."""
    return UNION.join(PurePosixPath(text).as_posix() for text in cell.split(UNION)) if cell else ""


def outside(text: str) -> str | None:
    """Return why a text is no path of a file in the folder; None if it may be one."""
    if not text:
        return "file_name: expected the path of a file, found a blank cell"
    if "\\" in text:
        return f"expected a path with /, got {text!r}"
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or (len(text) > 1 and text[1] == ":") or not path.name:
        return f"expected a path inside the folder, got {text!r}"
    if not text.isprintable():
        return f"expected a path of printable characters, got {text!r}"
    return None


def _number(row: Row, name: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < _LARGEST_NUMBER):
        raise row.fault(f"{name}: expected a whole number from 0, got {text!r}")
    return int(text)


def _duplicates(rows: Sequence[Row]) -> list[DataError]:
    first: dict[str, Row] = {}
    return [
        row.fault(f"the same sample as in row {first[row.id].number}", "keep one of the rows")
        for row in rows
        if first.setdefault(row.id, row) is not row
    ]


def _gaps(rows: Sequence[Row]) -> list[DataError]:
    """Faults of rows without a label, patient, volume or part, if other rows have one."""
    faults = []
    for name, column in {"label": "label", "patient": "patient", "volume": "volume", "part": "split"}.items():
        if any(getattr(row, name) for row in rows):
            blank = [row for row in rows if not getattr(row, name)]
            faults += [row.fault(f"{column}: blank, but other rows have a value") for row in blank]
    return faults


def _of_parts(rows: Sequence[Row], path: Path) -> list[DataError]:
    parts = {row.part for row in rows if row.part}
    missing = [part for part in ("train", "test") if parts and part not in parts]
    return [DataError(f"split: no row has {part!r}", where=path) for part in missing]


def _of_volumes(rows: Sequence[Row], path: Path) -> list[DataError]:
    known = [row for row in rows if row.volume]
    problem = shared_volume([row.volume for row in known], [row.patient or None for row in known])
    return [DataError(f"volume: {problem}", where=path)] if problem else []


def _with_volumes(rows: Sequence[Row]) -> Sequence[Row]:
    """Use files as volumes if all rows are slices of files and there is no volume column."""
    if any(row.volume or row.slice is None for row in rows):
        return rows
    return [row._replace(volume=row.file) for row in rows]


__all__ = ["COLUMNS", "TABLE", "Table", "outside", "read_table"]
