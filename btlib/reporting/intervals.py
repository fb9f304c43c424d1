"""95 % intervals of each case's mean over the test samples."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.errors import StatsError
from btlib.results import CaseResult


@dataclass(frozen=True)
class Mean:
    """Mean over seeds and over the samples that have a value, with its 95 % bootstrap interval.

    The bootstrap resamples patients. If all samples are right or all are wrong, the bootstrap has no spread; Wilson's
    interval is used instead.

    Attributes:
        value: Mean.
        low: Lower bound of the interval.
        high: Upper bound of the interval.
    """

    value: float
    low: float
    high: float


def mean_intervals(results: Sequence[CaseResult], metrics: Sequence[str]) -> dict[tuple[str, str], Mean]:
    """Return the mean and interval of each case and metric.

    Left out: metrics that a case does not have, metrics of all samples together, metrics that are undefined for all
    samples, and cases with fewer than two patients, which have no interval.
    """
    known = {
        (result.case, metric): (result, values)
        for metric in metrics
        for result in results
        if metric in result.definitions and result.definitions[metric].level == "sample"
        if (values := _values(result, metric)) is not None
    }
    alike: dict[bytes, list[tuple[str, str]]] = {}  # keys with the same patients share the bootstrap draws
    for key, (result, values) in known.items():
        alike.setdefault(result.groups.tobytes() + np.isfinite(values).tobytes(), []).append(key)
    means: dict[tuple[str, str], Mean] = {}
    for keys in alike.values():
        result, first = known[keys[0]]
        defined = np.isfinite(first)
        values = np.stack([known[key][1][defined] for key in keys])
        with suppress(StatsError):  # fewer than two patients
            rows = stats.paired_many(values, result.groups[defined]).rows()
            means |= {key: _mean(key[1], *pair) for key, *pair in zip(keys, values, rows, strict=True)}
    return {key: means[key] for key in known if key in means}


def _values(result: CaseResult, metric: str) -> NDArray[np.float64] | None:
    if not result.runs or not result.definitions[metric].available(result.samples):
        return None
    values = result.values(metric)
    return values if np.isfinite(values).any() else None


def _mean(metric: str, values: NDArray[np.float64], row: stats.PairedDifference) -> Mean:
    if metric == "accuracy" and row.low == row.high and set(values) <= {0.0, 1.0}:
        share = stats.wilson(int(values.sum()), len(values))
        return Mean(share.value, share.low, share.high)
    return Mean(row.difference, row.low, row.high)
