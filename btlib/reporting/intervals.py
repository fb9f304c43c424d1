"""How sure the mean of each case is: 95 % intervals over the test samples."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS
from btlib.results import CaseResult


@dataclass(frozen=True)
class Mean:
    """A mean over the samples that have a value, and over seeds, with its 95 % bootstrap interval.

    Whole patients are drawn.

    Where all samples are right, or all wrong, a bootstrap sees no spread; the interval is then Wilson's.
    """

    value: float
    low: float
    high: float


def mean_intervals(results: Sequence[CaseResult], metrics: Sequence[str]) -> dict[tuple[str, str], Mean]:
    """Case and metric → mean and interval.

    Left out: what a case does not have, metrics of all samples together, metrics of which no sample has a value, and
    cases of fewer than two patients, for which there is no interval.
    """
    known = {
        (result.case, metric): (result, values)
        for metric in metrics
        if METRICS[metric].level == "sample"
        for result in results
        if (values := _values(result, metric)) is not None
    }
    alike: dict[bytes, list[tuple[str, str]]] = {}  # those of the same patients share their draws
    for key, (result, values) in known.items():
        alike.setdefault(result.groups.tobytes() + np.isfinite(values).tobytes(), []).append(key)
    means: dict[tuple[str, str], Mean] = {}
    for keys in alike.values():
        result, first = known[keys[0]]
        defined = np.isfinite(first)
        values = np.stack([known[key][1][defined] for key in keys])
        with suppress(StatsError):  # one patient
            rows = stats.paired_many(values, result.groups[defined]).rows()
            means |= {key: _mean(key[1], *pair) for key, *pair in zip(keys, values, rows, strict=True)}
    return {key: means[key] for key in known if key in means}


def _values(result: CaseResult, metric: str) -> NDArray[np.float64] | None:
    if not result.runs or not METRICS[metric].available(result.samples):
        return None
    values = result.values(metric)
    return values if np.isfinite(values).any() else None


def _mean(metric: str, values: NDArray[np.float64], row: stats.PairedDifference) -> Mean:
    if metric == "accuracy" and row.low == row.high and set(values) <= {0.0, 1.0}:
        share = stats.wilson(int(values.sum()), len(values))
        return Mean(share.value, share.low, share.high)
    return Mean(row.difference, row.low, row.high)
