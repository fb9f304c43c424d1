"""Differences of every pair of cases in the metrics of all samples together, such as AUROC, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from tabulate import tabulate

from btlib import stats
from btlib.decimals import decimals
from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.names import naming
from btlib.reporting.numbers import interval
from btlib.results import CaseResult, Drawn, set_draws

NO_P = (
    "The metrics of this table belong to all samples together, so there are no differences by sample and no p values. "
    "Each interval has 95 % for itself; it is not corrected for the number of pairs."
)


@dataclass(frozen=True)
class SetPair:
    """Difference of two cases on the same samples.

    Attributes:
        first: Name of the first case.
        second: Name of the second case.
        metric: Name of the metric.
        difference: First − second, each the mean over seeds.
        bounds: Lower and upper bound of the 95 % interval over patients; None if it cannot be computed.
        note: Reason why there is no interval, or the number of draws that it leaves out; "" if there is none.
    """

    first: str
    second: str
    metric: str
    difference: float
    bounds: tuple[float, float] | None
    note: str

    @property
    def decimals(self) -> int:
        """Decimals to show: more than four if all numbers are small."""
        known = [abs(v) for v in (self.difference, *(self.bounds or ()))]
        return decimals(None, [max(known)])


def set_pairs(results: Sequence[CaseResult], metrics: Sequence[str]) -> tuple[SetPair, ...]:
    """Compare every pair of cases in the metrics of level "set" that both have; other metrics are left out.

    Both cases of a pair share the draws of patients, so the interval is that of a paired difference.

    Args:
        results: Cases of one run, measured on the same samples.
        metrics: Names of metrics.

    Raises:
        StatsError: There are fewer than two patients.
    """
    found = []
    for metric in metrics:
        found += _of_metric([result for result in results if _has(result, metric)], metric)
    return tuple(found)


def _has(result: CaseResult, metric: str) -> bool:
    """Whether a case has values of a metric of level "set"."""
    known = result.definitions
    if metric not in known or known[metric].level != "set" or not result.runs:
        return False
    return all(known[metric].available(run.samples) for run in result.runs)


def _of_metric(results: Sequence[CaseResult], metric: str) -> list[SetPair]:
    if len(results) < 2:
        return []
    drawn = {r.case: set_draws(r.runs, results[0].samples, metric) for r in results}
    return [_pair(b.case, a.case, metric, drawn) for a, b in combinations(results, 2)]


def _pair(first: str, second: str, metric: str, drawn: dict[str, Drawn]) -> SetPair:
    ours, theirs = drawn[first], drawn[second]
    difference = float(ours.values.mean() - theirs.values.mean())
    try:
        found = stats.drawn_interval(difference, ours.draws.mean(axis=0) - theirs.draws.mean(axis=0), ours.n_groups)
    except StatsError as error:
        return SetPair(first, second, metric, difference, None, error.problem)
    note = f"{found.n_undefined} of {found.n_draws} draws have no value" if found.n_undefined else ""
    return SetPair(first, second, metric, difference, (found.low, found.high), note)


def set_pairs_table(pairs: Sequence[SetPair], style: str = "simple") -> str:
    """Return a row per pair and metric, in a format of `tabulate`."""
    name = naming(style)
    rows = [
        {
            "pair": f"{name(one.first)} − {name(one.second)}",
            "metric": METRICS[one.metric].title,
            "difference": f"{one.difference:+.{one.decimals}f}",
            "95 % interval": interval(*one.bounds, one.decimals) if one.bounds else "–",
            "note": one.note or "–",
        }
        for one in pairs
    ]
    return tabulate(rows, "keys", style, disable_numparse=True)
