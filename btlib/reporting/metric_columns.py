"""Metric columns of the terminal, Markdown and HTML tables, with their titles and number formats."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from btlib.evaluation.catalogue import METRICS, Metric, Metrics

_FORMS = {"dice": ".4f", "hd95": ".1f", "accuracy": ".4f", "macro_f1": ".4f"}
_SCORE = ".4f"
_OTHER_COLUMNS = ("case", "verdict", "seconds", "time", "memory", "model")
_BY_STRUCTURE = ("dice",)
"""Metrics with an additional column for each structure if the task has several structures."""

MAIN = tuple(_FORMS)
"""Metrics that every table shows."""


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

    If only scores have values, the main metrics are left out.

    Args:
        rows: Rows of the table.
        known: Metrics of the rows.
    """
    every = list(rows)
    names = dict.fromkeys(name for row in every for name in row.values)
    scores = known.scores
    has_main = any(row.values.get(name) is not None for row in every for name in MAIN if name not in scores)
    shown = [name for name in MAIN if name not in scores] if has_main or not scores else []
    found = []
    for main in shown:
        parts = [name for name in names if name.startswith(f"{main}/")] if main in _BY_STRUCTURE else []
        found += [_column(known[name], _FORMS[main]) for name in (main, *parts)]
    own = [_column(known[name], _SCORE) for name in scores if name in names]
    return found + [replace(column, title=distinct(column.title, _OTHER_COLUMNS)) for column in own]


def distinct(score: str, taken: Collection[str]) -> str:
    """Return the heading of a score, which is not one of the other headings: "score seconds" in place of "seconds"."""
    return f"score {score}" if score in taken else score


def _column(metric: Metric, form: str) -> MetricColumn:
    return MetricColumn(metric.name, metric.title, "" if metric.unit == "1" else metric.unit, form)
