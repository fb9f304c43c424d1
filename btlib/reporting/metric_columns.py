"""Metric columns of the terminal, Markdown and HTML tables, with their titles and number formats."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from btlib.decimals import decimals
from btlib.evaluation.catalogue import METRICS, Metric, Metrics

_FORMS = {
    "dice_volume": ".4f",
    "dice": ".4f",
    "hd95": ".1f",
    "hd95_mm": ".1f",
    "accuracy": ".4f",
    "macro_f1": ".4f",
}
_IF_MEASURED = ("dice_volume", "hd95_mm")
"""Main metrics that only some tasks have: those with volumes, or with a known size of a pixel."""
_OTHER_COLUMNS = ("case", "verdict", "seconds", "time", "memory", "model")
_BY_STRUCTURE = ("dice_volume", "dice")
"""Metrics with an additional column for each structure if the task has several structures."""

MAIN = tuple(name for name in _FORMS if name not in _IF_MEASURED)
"""Metrics that every table of a task with images shows."""


class HasValues(Protocol):
    """A row of a table."""

    @property
    def values(self) -> Mapping[str, float | None]:
        """Metric → value; None without a value."""


@dataclass(frozen=True)
class MetricColumn:
    """One metric in a table.

    Attributes:
        metric: Name of the metric.
        title: Column heading.
        unit: Unit; "" for shares (0…1).
        form: Format specification of the numbers.
    """

    metric: str
    title: str
    unit: str
    form: str


def metric_columns(rows: Iterable[HasValues], known: Metrics = METRICS) -> list[MetricColumn]:
    """Return the metric columns of a table: the main metrics, each followed by its structures, then scores.

    Dice per volume comes first where samples are parts of volumes. HD95 in mm follows HD95 where the size of a pixel is
    known. If only scores have values, the main metrics are left out.

    Args:
        rows: Rows of the table.
        known: Metrics of the rows.
    """
    every = list(rows)
    names = dict.fromkeys(name for row in every for name in row.values)
    scores = known.scores
    measured = {name for row in every for name, value in row.values.items() if value is not None}
    every_main = [name for name in _FORMS if name not in scores and (name in MAIN or name in measured)]
    shown = every_main if not scores or measured & set(every_main) else []
    found = []
    for main in shown:
        parts = [name for name in names if name.startswith(f"{main}/")] if main in _BY_STRUCTURE else []
        found += [_column(known[name], _FORMS[main]) for name in (main, *parts)]
    shown_decimals = {name: decimals(None, [row.values.get(name) for row in every]) for name in scores}
    own = [_column(known[name], f".{shown_decimals[name]}f") for name in scores if name in names]
    return found + [replace(column, title=distinct(column.title, _OTHER_COLUMNS)) for column in own]


def distinct(score: str, taken: Collection[str]) -> str:
    """Return the heading of a score, which is not one of the other headings: "score seconds" in place of "seconds"."""
    return f"score {score}" if score in taken else score


def _column(metric: Metric, form: str) -> MetricColumn:
    title = metric.title.removesuffix(f" in {metric.unit}")  # the heading has the unit in brackets
    return MetricColumn(metric.name, title, "" if metric.unit == "1" else metric.unit, form)
