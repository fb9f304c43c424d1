"""Metric columns of the terminal, Markdown and HTML tables, with their titles and number formats."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from btlib.evaluation.catalogue import METRICS

_FORMS = {"dice": ".4f", "hd95": ".1f", "accuracy": ".4f", "macro_f1": ".4f"}
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


def metric_columns(rows: Iterable[HasValues]) -> list[MetricColumn]:
    """Return the metric columns of a table: the main metrics, each followed by its structures."""
    known = dict.fromkeys(name for row in rows for name in row.values)
    found = []
    for main in MAIN:
        parts = [name for name in known if name.startswith(f"{main}/")] if main in _BY_STRUCTURE else []
        for name in (main, *parts):
            unit = METRICS[name].unit
            found.append(MetricColumn(name, METRICS[name].title, "" if unit == "1" else unit, _FORMS[main]))
    return found
