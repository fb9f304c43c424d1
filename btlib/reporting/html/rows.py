"""The table of all cases: text to read, and beside it the value to sort by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btlib.baselines.pace import Pace
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.style import tone
from btlib.reporting.intervals import Mean
from btlib.reporting.numbers import number

_FORMS = {"dice": ".4f", "hd95": ".1f", "accuracy": ".4f", "macro_f1": ".4f"}
SHOWN = tuple(_FORMS)
"""Metrics of the table, in its order."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: To read.
        more: Beneath it in small; may be empty.
        sort: A number to sort by; None where there is none, which goes last.
        tone: Of a verdict; empty for all others.
        rank: Place among all cases, 1 is best; None where places make no sense.
    """

    text: str
    more: str = ""
    sort: float | None = None
    tone: str = ""
    rank: int | None = None


@dataclass(frozen=True)
class Column:
    """Title, unit, and whether it holds numbers."""

    title: str
    unit: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Line:
    """One case: its label, verdict, and a cell for each column."""

    label: str
    status: str
    cells: tuple[Cell, ...]


def ranks(entries: Sequence[Entry]) -> dict[tuple[str, str], int]:
    """Label and metric → place by the mean, 1 is best; equal means share a place."""
    found: dict[tuple[str, str], int] = {}
    for metric in SHOWN:
        values = {e.label: METRICS[metric].sign * v for e in entries if (v := e.row.values[metric]) is not None}
        found |= {(label, metric): 1 + sum(o > value for o in values.values()) for label, value in values.items()}
    return found


def lines(entries: Sequence[Entry], means: Mapping[tuple[str, str], Mean]) -> tuple[list[Column], list[Line]]:
    """Columns, and a line for each case."""
    names = {name for entry in entries for name in entry.row.speeds}
    speeds = sorted(names, key=lambda name: (name.split(",")[0], len(name), name))
    shown = [m for m in SHOWN if any(e.row.values[m] is not None for e in entries)]
    places = ranks(entries)
    columns = [
        Column("case", numeric=False),
        Column("verdict", numeric=False),
        *(Column(METRICS[m].title, "" if METRICS[m].unit == "1" else METRICS[m].unit) for m in shown),
        *(Column(name, "images/s") for name in speeds),
        Column("memory", "MiB"),
        Column("time", "s"),
        Column("model", numeric=False),
    ]
    return columns, [_line(e, shown, speeds, means, places) for e in entries]


def _line(
    entry: Entry,
    shown: Sequence[str],
    speeds: Sequence[str],
    means: Mapping[tuple[str, str], Mean],
    places: Mapping[tuple[str, str], int],
) -> Line:
    row = entry.row
    cells = (
        Cell(entry.label, row.title),
        Cell(row.status, tone=tone(row.status)),
        *(_value(entry, m, means.get((entry.label, m)), places.get((entry.label, m))) for m in shown),
        *(_pace(row.speeds.get(name)) for name in speeds),
        Cell(number(row.peak_memory_mib, ".0f"), sort=row.peak_memory_mib),
        Cell(number(row.seconds, ".1f"), sort=row.seconds),
        Cell(row.source),
    )
    return Line(entry.label, row.status, cells)


def _value(entry: Entry, metric: str, mean: Mean | None, place: int | None) -> Cell:
    value, form = entry.row.values[metric], _FORMS[metric]
    if value is None:
        return Cell("–")
    more = f"{mean.low:{form}} – {mean.high:{form}}" if mean is not None else ""
    return Cell(f"{value:{form}}", more, sort=value, rank=place)


def _pace(pace: Pace | None) -> Cell:
    if pace is None:
        return Cell("–")
    times = "" if pace.ratio is None else f"{pace.ratio:.2f}× thesis"
    return Cell(number(pace.images_per_second, ".1f"), times, sort=pace.images_per_second)
