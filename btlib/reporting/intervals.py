"""95 % intervals of each case's mean over the test samples, and of its metrics of all samples together."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.errors import StatsError
from btlib.results import CaseResult, set_draws


@dataclass(frozen=True)
class Mean:
    """Mean over seeds, with its 95 % interval over patients.

    A metric of single samples is the mean over the samples that have a value; its interval is that of
    `btlib.stats.paired_many`. If all samples are right or all are wrong, they have no spread; Wilson's interval is used
    instead. The interval of a metric of all samples together is that of `btlib.stats.drawn_interval`, within the range
    of the metric.

    Attributes:
        value: Mean.
        low: Lower bound of the interval.
        high: Upper bound of the interval.
    """

    value: float
    low: float
    high: float


def mean_intervals(
    results: Sequence[CaseResult], metrics: Sequence[str], notes: list[tuple[str, str]] | None = None
) -> dict[tuple[str, str], Mean]:
    """Return the mean and interval of each case and metric.

    Left out: metrics that a case does not have, metrics that are undefined for all samples, cases with fewer than two
    patients, which have no interval, and metrics of all samples together that are the same for all draws of patients,
    or undefined for more than 5 % of them.

    Args:
        results: Results of the cases.
        metrics: Names of the metrics.
        notes: List to which the case and a note are added for each interval that leaves draws out, or that cannot be
            computed.
    """
    means = _of_samples(results, metrics)
    for result in results:
        known = result.definitions
        for metric in (name for name in metrics if name in known and known[name].level == "set"):
            found, note = _of_set(result, metric)
            means |= {(result.case, metric): found} if found is not None else {}
            if note and notes is not None:
                notes.append((result.case, f"{known[metric].title}: {note}"))
    return means


def _of_samples(results: Sequence[CaseResult], metrics: Sequence[str]) -> dict[tuple[str, str], Mean]:
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


def _of_set(result: CaseResult, metric: str) -> tuple[Mean | None, str]:
    """Return the interval of a metric of all samples together, and a note on what it leaves out."""
    known = result.definitions[metric]
    if not result.runs or not all(known.available(run.samples) for run in result.runs):
        return None, ""
    try:
        drawn = set_draws(result.runs, result.samples, metric)
        found = stats.drawn_interval(float(drawn.values.mean()), drawn.draws.mean(axis=0), drawn.n_groups)
    except StatsError as error:
        return None, f"no interval: {error.problem}"
    if found.error == 0:
        return None, f"no interval: all draws of {result.unit}s have the same value"
    note = f"{found.n_undefined} of {found.n_draws} draws of {result.unit}s have no value; the interval leaves them out"
    low, high = np.clip([found.low, found.high], *known.range).tolist()
    return Mean(found.value, low, high), note if found.n_undefined else ""


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
