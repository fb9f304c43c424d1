"""How sure the mean of each case is: 95 % intervals over the test slices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from btlib import stats
from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS
from btlib.results import CaseResult


@dataclass(frozen=True)
class Mean:
    """A mean over slices and seeds with its 95 % bootstrap interval, which draws whole patients.

    Where all slices are right, or all wrong, a bootstrap sees no spread; the interval is then Wilson's.
    """

    value: float
    low: float
    high: float


def mean_intervals(results: Sequence[CaseResult], metrics: Sequence[str]) -> dict[tuple[str, str], Mean]:
    """Case and metric → mean and interval.

    Left out: what a case does not have, metrics of all slices together, undefined means, and cases of fewer than two
    patients, for which there is no interval.
    """
    found: dict[tuple[str, str], Mean] = {}
    for metric in metrics:
        if METRICS[metric].level == "slice":
            for result in results:
                mean = _mean(result, metric)
                found |= {} if mean is None else {(result.case, metric): mean}
    return found


def _mean(result: CaseResult, metric: str) -> Mean | None:
    if not result.runs or not METRICS[metric].available(result.slices):
        return None
    values = result.values(metric)
    if not np.isfinite(values).all():
        return None
    try:
        row = stats.paired_many(values[None], result.groups).rows()[0]
    except StatsError:  # one patient
        return None
    if metric == "accuracy" and row.low == row.high and set(values) <= {0.0, 1.0}:
        share = stats.wilson(int(values.sum()), len(values))
        return Mean(share.value, share.low, share.high)
    return Mean(row.difference, row.low, row.high)
