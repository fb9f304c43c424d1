"""Scores from a CSV or Parquet file: a column `id`, a column of groups, one column per score, optionally `seed`."""

import csv
import importlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from btlib import extras
from btlib import files as system_files
from btlib.errors import DataError
from btlib.numbers.arrays import text
from btlib.numbers.sample_scores import SampleScores
from btlib.registry import unknown_name

ID, SEED = "id", "seed"
_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?")
SUFFIXES = (".csv", ".parquet")
"""Endings of the names of files with scores."""

_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_NOTHING = "a sample without a value cannot be judged: correct it, or remove the sample from both files"


def is_scores_file(text: str) -> bool:
    """Whether a source that the user named is a file of scores: by the ending of its name."""
    return text.lower().endswith(SUFFIXES)


def read_scores(path: Path, scores: Sequence[str], group: str | None) -> SampleScores:
    """Read the scores of samples.

    Args:
        path: File that ends with .csv (UTF-8, commas, a header) or .parquet.
        scores: Names of the columns to read.
        group: Name of the column of groups; None if the samples are independent of each other.

    Raises:
        DataError: The file cannot be read, is empty, has cells that are no finite numbers, duplicate ids, or seeds with
            different samples.
        UnknownNameError: A column is missing; the hint names the most similar one.
        MissingExtraError: The file is Parquet, and pyarrow is not installed.
    """
    wanted = [ID, *([] if group is None else [group]), *scores]
    table = (_read_parquet if path.suffix.lower() == ".parquet" else _read_csv)(path, wanted)
    ids = [_text(cell, ID, place) for cell, place in table.cells(ID)]
    seeds = [_whole(cell, place) for cell, place in table.cells(SEED)] if SEED in table.columns else [0] * len(ids)
    groups = None if group is None else [_text(cell, group, place) for cell, place in table.cells(group)]
    values = {
        name: np.array(
            [_number(cell, name, place, one) for (cell, place), one in zip(table.cells(name), ids, strict=True)]
        )
        for name in scores
    }
    return _joined(table, ids, seeds, groups, group or "sample", values)


@dataclass(frozen=True, eq=False)
class _Table:
    """Columns of a file, and the place of each row in it for messages."""

    path: Path
    columns: Mapping[str, Sequence[Any]]
    places: Sequence[str]

    def cells(self, name: str) -> Iterator[tuple[Any, str]]:
        """Yield each cell of a column with its place."""
        return zip(self.columns[name], (f"{self.path}, {place}" for place in self.places), strict=True)


def _read_csv(path: Path, wanted: Sequence[str]) -> _Table:
    try:
        system_files.require_regular(path)
        text = path.read_text(encoding="utf-8-sig")  # a byte order mark is not part of the first name
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", where=path, hint="save it as CSV in UTF-8") from error
    except (OSError, ValueError) as error:  # no file, a folder or pipe, or not a valid path
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=path) from error
    rows, places = [], []
    reader = csv.reader(StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _require_header(path, header, wanted)
        for row in reader:
            if not row:  # an empty line
                continue
            if len(row) != len(header):
                raise DataError(
                    f"expected {len(header)} cells, got {len(row)}", where=f"{path}, line {reader.line_num}"
                )
            rows.append(row)
            places.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise DataError(f"is not valid CSV: {error}", where=f"{path}, line {reader.line_num}") from error
    columns = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else {}
    return _with_rows(_Table(path, columns, places))


def _require_header(path: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    if not any(header):
        raise DataError("is empty", where=path, hint="the first line names the columns: id, a group, the scores")
    for separator, name in _SEPARATORS.items():
        if ID not in header and len(header) == 1 and separator in header[0]:
            raise DataError(
                f"its columns are separated by {name}, expected commas",
                where=path,
                hint="save it as CSV with commas, and with points in decimal numbers",
            )
    _require_columns(path, header, wanted)


def _read_parquet(path: Path, wanted: Sequence[str]) -> _Table:
    with extras.named(path):
        parquet = importlib.import_module("pyarrow.parquet")
    try:
        system_files.require_regular(path)
        file = parquet.ParquetFile(path)
        header = list(file.schema_arrow.names)
        _require_columns(path, header, wanted)
        read = file.read(columns=[*dict.fromkeys(wanted), *([SEED] if SEED in header else [])]).to_pydict()
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        raise DataError(f"cannot be read: {error}", where=path, hint="is it a Parquet file?") from error
    n = len(read[ID])
    return _with_rows(_Table(path, read, [f"row {at}" for at in range(1, n + 1)]))


def _require_columns(path: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    if twice := sorted({name for name in header if name and list(header).count(name) > 1}):
        raise DataError(f"column {twice[0]!r} occurs more than once", where=path, hint="rename one of them")
    for name in wanted:
        if name not in header:
            raise unknown_name("column", name, filter(None, header), where=path, alike=0.6)


def _with_rows(table: _Table) -> _Table:
    if not table.places:
        raise DataError("has a header, but no rows", where=table.path, hint="give one row per sample")
    return table


def _text(cell: Any, column: str, place: str) -> str:
    if isinstance(cell, float) and cell.is_integer():  # pandas stores whole numbers as floats if some are missing
        cell = int(cell)
    known = isinstance(cell, str | int) and not isinstance(cell, bool)
    if not known or not str(cell).strip():
        raise DataError(f"{column}: expected text or a whole number, got {cell!r}", where=place)
    return text(cell, f"{place}, {column}")


def _whole(cell: Any, place: str) -> int:
    """Return a seed; 9.0 is 9, because pandas writes whole numbers so if some are missing."""
    whole = _WHOLE.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if whole:
        return int(whole[1])
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not float(cell).is_integer():
        raise DataError(f"{SEED}: expected a whole number, got {cell!r}", where=place)
    return int(cell)


def _number(cell: Any, column: str, place: str, one: str) -> float:
    where = f"{place}, id {one!r}"
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise DataError(f"{column}: expected a number, got an empty cell", where=where, hint=_NOTHING)
    try:
        plain = not isinstance(cell, str) or (cell.isascii() and "_" not in cell)
        value = float(cell) if plain else None
    except (TypeError, ValueError):
        value = None
    if value is None:
        comma = isinstance(cell, str) and "," in cell
        hint = "write decimal numbers with a point" if comma else _NOTHING
        raise DataError(f"{column}: expected a number, got {cell!r}", where=where, hint=hint)
    if not math.isfinite(value):
        raise DataError(f"{column}: expected a finite number, got {value}", where=where, hint=_NOTHING)
    return value


def _joined(
    table: _Table,
    ids: Sequence[str],
    seeds: Sequence[int],
    groups: Sequence[str] | None,
    group: str,
    values: Mapping[str, np.ndarray[Any, Any]],
) -> SampleScores:
    """Return the rows by seed, in the sample order of the first seed."""
    rows: dict[int, dict[str, int]] = {}
    whose: dict[str, str] = {}
    for at, (one, seed) in enumerate(zip(ids, seeds, strict=True)):
        where = f"{table.path}, {table.places[at]}"
        if one in rows.setdefault(seed, {}):
            of = f" with seed {seed}" if SEED in table.columns else ""
            hint = "give one row per sample" + ("" if of else f"; rows of several trainings need a column {SEED!r}")
            raise DataError(f"id {one!r} occurs more than once{of}", where=where, hint=hint)
        rows[seed][one] = at
        if groups is not None and whose.setdefault(one, groups[at]) != groups[at]:
            raise DataError(f"id {one!r} has the {group} {groups[at]!r}, but {whose[one]!r} above", where=where)
    first = min(rows)
    for seed, of_seed in rows.items():
        if apart := sorted(of_seed.keys() ^ rows[first].keys()):
            raise DataError(
                f"seeds {first} and {seed} have different samples: {len(apart)} ids have only one of them, the first "
                f"one is {apart[0]!r}",
                where=table.path,
                hint="give all samples for each seed",
            )
    known = list(rows[first])
    order = {seed: [of_seed[one] for one in known] for seed, of_seed in sorted(rows.items())}
    columns = {seed: {name: column[at] for name, column in values.items()} for seed, at in order.items()}
    return SampleScores(
        known, None if groups is None else [whose[one] for one in known], group, columns, SEED in table.columns
    )
