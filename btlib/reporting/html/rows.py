"""Table of all cases: the text of each cell and the value to sort by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btlib.reporting.columns import COLUMNS, Value
from btlib.reporting.comparison import Row
from btlib.reporting.html.entries import Entry, Reference, known_to
from btlib.reporting.html.style import tone
from btlib.reporting.intervals import Mean
from btlib.reporting.metric_columns import MetricColumn, metric_columns
from btlib.reporting.names import shortened, visible
from btlib.reporting.numbers import number
from btlib.runs.throughput import Throughput

_MOST = 120  # columns of a title


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: Text of the cell.
        more: Small text below it; may be empty.
        sort: Number to sort by; cells with None come last.
        tone: Tone of a verdict; empty for other cells.
        rank: Rank among all cases, 1 is best; None for cells without a rank.
    """

    text: str
    more: str = ""
    sort: float | None = None
    tone: str = ""
    rank: int | None = None


@dataclass(frozen=True)
class Column:
    """Column with title, unit, and whether it contains numbers."""

    title: str
    unit: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Line:
    """Row of one case: label, verdict ("reference" for a case of the baseline), and a cell for each column."""

    label: str
    status: str
    cells: tuple[Cell, ...]


def ranks(entries: Sequence[Entry]) -> dict[tuple[str, str], int]:
    """Return label and metric → rank by the mean, 1 is best; equal means share a rank."""
    found: dict[tuple[str, str], int] = {}
    known = known_to(entries)
    for metric in (column.metric for column in metric_columns((e.row for e in entries), known)):
        values = {e.label: known[metric].sign * v for e in entries if (v := e.row.values.get(metric)) is not None}
        found |= {(label, metric): 1 + sum(o > value for o in values.values()) for label, value in values.items()}
    return found


def lines(
    entries: Sequence[Entry], references: Sequence[Reference], means: Mapping[tuple[str, str], Mean]
) -> tuple[list[Column], list[Line]]:
    """Return the columns and a row for each case: first the measured cases, then the references from the baseline."""
    rows = [*(entry.row for entry in entries), *(reference.row for reference in references)]
    names = {name for row in rows for name in row.speeds}
    speeds = sorted(names, key=lambda name: (name.split(",")[0], len(name), name))
    shown = [
        c for c in metric_columns(rows, known_to(entries)) if any(row.values.get(c.metric) is not None for row in rows)
    ]
    places = ranks(entries)
    columns = [
        Column("case", numeric=False),
        Column("verdict", numeric=False),
        *(Column(column.title, column.unit) for column in shown),
        *(Column(name, "images/s") for name in speeds),
        *(Column(COLUMNS[name].title, COLUMNS[name].unit) for name in COLUMNS),
        Column("memory", "MiB"),
        Column("time", "s"),
        Column("model", numeric=False),
    ]
    measured = [_measured(e, shown, speeds, means, places) for e in entries]
    return columns, measured + [_reference(r, shown, speeds) for r in references]


def _measured(
    entry: Entry,
    shown: Sequence[MetricColumn],
    speeds: Sequence[str],
    means: Mapping[tuple[str, str], Mean],
    places: Mapping[tuple[str, str], int],
) -> Line:
    keys = [(column, (entry.label, column.metric)) for column in shown]
    values = [_value(entry.row, column, means.get(key), places.get(key)) for column, key in keys]
    return _line(entry.label, entry.row, _title(entry.row), values, speeds)


def _reference(reference: Reference, shown: Sequence[MetricColumn], speeds: Sequence[str]) -> Line:
    values = [_value(reference.row, column) for column in shown]
    origin = f"from baseline {reference.baseline}, not measured in this run"
    more = "; ".join(filter(None, [_title(reference.row), origin]))
    return _line(reference.label, reference.row, more, values, speeds)


def _line(label: str, row: Row, more: str, values: Sequence[Cell], speeds: Sequence[str]) -> Line:
    cells = (
        Cell(label, more),
        Cell(row.status, tone=tone(row.status)),
        *values,
        *(_throughput(row.speeds.get(name)) for name in speeds),
        *(_own(name, row.own.get(name)) for name in COLUMNS),
        Cell(number(row.peak_memory_mib, ".0f"), sort=row.peak_memory_mib),
        Cell(number(row.seconds, ".1f"), sort=row.seconds),
        Cell(row.source),
    )
    return Line(label, row.status, cells)


def _own(name: str, value: Value) -> Cell:
    text = shortened(visible(COLUMNS[name].text(value)), _MOST)
    return Cell(text, sort=value if isinstance(value, int | float) else None)


def _title(row: Row) -> str:
    return shortened(visible(row.title), _MOST) if row.title.strip() else ""


def _value(row: Row, column: MetricColumn, mean: Mean | None = None, place: int | None = None) -> Cell:
    value, form = row.values.get(column.metric), column.form
    if value is None:
        return Cell("–")
    more = f"{mean.low:{form}} – {mean.high:{form}}" if mean is not None else ""
    return Cell(f"{value:{form}}", more, sort=value, rank=place)


def _throughput(throughput: Throughput | None) -> Cell:
    if throughput is None:
        return Cell("–")
    times = "" if throughput.ratio is None else f"{throughput.ratio:.2f}× reference"
    return Cell(number(throughput.images_per_second, ".1f"), times, sort=throughput.images_per_second)
