"""Values of one source by case and metric, with intervals if known, without verdicts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product

from btlib.decimals import decimals
from btlib.evaluation.catalogue import METRICS, Metrics
from btlib.gate import Baseline
from btlib.gate.measured import mean_value
from btlib.registry import unknown_name
from btlib.reporting.intervals import mean_intervals
from btlib.reporting.sources import Source
from btlib.results import CaseResult


@dataclass(frozen=True)
class Value:
    """One metric of one case.

    Attributes:
        value: Mean over samples and seeds; for a published baseline, the printed value.
        interval: Lower and upper bound of the 95 % interval over patients; None for published figures, and if it cannot
            be computed.
    """

    value: float
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        """Return text such as "0.7344 (0.7101 … 0.7580)"."""
        digits = decimals(None, [self.value])
        bounds = f" ({self.interval[0]:.{digits}f} … {self.interval[1]:.{digits}f})" if self.interval else ""
        return f"{self.value:.{digits}f}{bounds}"


Values = dict[tuple[str, str], Value | str]
"""Case and metric → value, or the status of a failed case, such as "timeout"."""


@dataclass(frozen=True)
class Column:
    """Values of one source.

    Attributes:
        name: Name of the source.
        values: Values by case and metric.
        notes: Notes on intervals that cannot be computed or that leave draws out.
    """

    name: str
    values: Values
    notes: tuple[str, ...] = ()


def check_metrics(names: Sequence[str], known: Collection[str] = METRICS, where: str = "--metric") -> None:
    """Check that all metrics exist.

    Args:
        names: Metrics that the user named.
        known: Existing metrics.
        where: Option or line that contains the names.

    Raises:
        UnknownNameError: A metric is unknown; the error suggests the nearest one.
    """
    for name in names:
        if name not in known:
            raise unknown_name("metric", name, known, where=where)


def known_to(sources: Sequence[Source]) -> Metrics:
    """Return the registered metrics and the scores of these sources; of two definitions, the first source's counts."""
    results = [result.conditions.task for source in sources for result in source.results]
    scores = {score.name: score for task in reversed(results) for score in task.scores}
    return METRICS.with_scores(scores.values())


def column(source: Source, metrics: Sequence[str]) -> Column:
    """Return the values of the metrics that a source has.

    Raises:
        UnknownNameError: A metric is unknown.
    """
    if source.results:
        notes: list[tuple[str, str]] = []
        found = _measured(source.results, metrics, notes)
        return Column(source.name, found, tuple(f"{case}, {note}" for case, note in notes))
    assert source.baseline is not None  # a source without measured numbers is a published baseline
    return Column(source.name, _published(source.baseline, metrics))


def _measured(results: Sequence[CaseResult], metrics: Sequence[str], notes: list[tuple[str, str]]) -> Values:
    means = mean_intervals(results, metrics, notes)
    found: Values = {}
    for result, metric in product(results, metrics):
        mean = means.get((result.case, metric))
        if result.failure is not None:
            found |= {(result.case, metric): result.failure} if metric in result.metrics else {}
        elif mean is not None:
            found[result.case, metric] = Value(mean.value, (mean.low, mean.high))
        elif (value := mean_value(result, metric)) is not None:
            found[result.case, metric] = Value(value)
    return found


def _published(baseline: Baseline, metrics: Sequence[str]) -> Values:
    """Return the figure that the gate uses, else the first figure over all classes."""
    found: Values = {}
    for (name, case), metric in product(baseline.cases.items(), metrics):
        known = [f for f in case.figures if f.metric == metric and f.tumour_class is None]
        figure = baseline.figure(name, metric) or (known[0] if known else None)
        if figure is not None:
            found[name, metric] = Value(figure.value)
    return found
