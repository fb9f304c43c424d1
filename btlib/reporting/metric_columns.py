"""Which metrics tables show, with their titles and forms: one description for terminal, Markdown and HTML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from btlib.evaluation.catalogue import METRICS

_FORMS = {"dice": ".4f", "hd95": ".1f", "accuracy": ".4f", "macro_f1": ".4f"}
_BY_STRUCTURE = ("dice",)
"""Of these the structures have columns of their own, where there are several."""

MAIN = tuple(_FORMS)
"""Metrics that every table shows."""


class HasValues(Protocol):
    """A row of a table."""

    @property
    def values(self) -> Mapping[str, float | None]:
        """Metric → value, None where there is none."""


@dataclass(frozen=True)
class MetricColumn:
    """One metric in a table.

    Attributes:
        metric: Its name.
        title: Of the column.
        unit: "" for shares of one.
        form: How its numbers are written.
    """

    metric: str
    title: str
    unit: str
    form: str


def metric_columns(rows: Iterable[HasValues]) -> list[MetricColumn]:
    """The columns of a table of these rows: the main metrics and, after each, its structures."""
    known = dict.fromkeys(name for row in rows for name in row.values)
    found = []
    for main in MAIN:
        parts = [name for name in known if name.startswith(f"{main}/")] if main in _BY_STRUCTURE else []
        for name in (main, *parts):
            unit = METRICS[name].unit
            found.append(MetricColumn(name, METRICS[name].title, "" if unit == "1" else unit, _FORMS[main]))
    return found
