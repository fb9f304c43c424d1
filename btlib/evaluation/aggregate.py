"""Aggregates are views of the per-slice table: every mean says over what."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import metrics
from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS, Metric
from btlib.slice_table import SliceTable
from btlib.types import CLASS_NAMES

SIZES = ("small", "middle", "large")
"""Tertiles of the true tumour area among the slices of a table."""


def batch_mean(values: NDArray[np.float64], size: int) -> float:
    """Mean of the means of consecutive batches of `size`; a short last batch weighs as much as a full one.

    This is how the thesis's README averages Dice for C–G (39 batches, the last of 4 slices).
    """
    return float(np.mean([values[i : i + size].mean() for i in range(0, len(values), size)]))


def patient_mean(values: NDArray[np.float64], patients: list[str | None]) -> float | None:
    """Mean of the patients' means, so that a patient of 38 slices counts as one; None without patient ids."""
    if any(p is None for p in patients):
        return None
    _, of = np.unique(np.array(patients, dtype=str), return_inverse=True)
    return float(np.mean(np.bincount(of, weights=values) / np.bincount(of)))


def by_class(values: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float | None]:
    """Slice mean within each tumour type; None for a type that no slice has."""
    return {
        name: float(values[labels == k].mean()) if (labels == k).any() else None for k, name in enumerate(CLASS_NAMES)
    }


def size_of(table: SliceTable) -> NDArray[np.int64]:
    """Which third of the slices each belongs to by true tumour area, int64 [n]: 0 small, 1 middle, 2 large.

    Ties are broken by slice number, so that the thirds do not depend on the order of the table.
    """
    order = np.lexsort((np.array(table.number), np.array(table.truth_area)))
    third = np.empty(table.n, dtype=np.int64)
    third[order] = np.arange(table.n) * len(SIZES) // table.n
    return third


def by_size(values: NDArray[np.float64], table: SliceTable) -> dict[str, float | None]:
    """Slice mean within each third by tumour size; None for a third without a slice."""
    third = size_of(table)
    return {name: float(values[third == k].mean()) if (third == k).any() else None for k, name in enumerate(SIZES)}


def gated_value(table: SliceTable, metric: str, aggregation: str, batch_mean_size: int) -> float:
    """The one number of `metric` that a baseline figure of this aggregation is compared with.

    A metric of all slices together has one number; it has no mean of batch means. NaN where it is undefined.

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The table does not have it, or not this aggregation of it.
    """
    if METRICS[metric].level == "set" and aggregation != "batch-mean":
        return float(_available(metric, table).of(table))
    values = per_slice(table, metric)
    return batch_mean(values, batch_mean_size) if aggregation == "batch-mean" else float(values.mean())


def per_slice(table: SliceTable, metric: str) -> NDArray[np.float64]:
    """A metric's value for every slice, float64 [n]; accuracy is 1 (right) or 0 (wrong).

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The table does not have what the metric needs, or only all slices together have a value.
    """
    found = _available(metric, table)
    if found.level == "set":
        raise StatsError(
            "is of all slices together; one slice has no value of it",
            where=metric,
            mend=f"choose one of {', '.join(name for name in METRICS if METRICS[name].level == 'slice')}",
        )
    return found.of(table)


def _available(name: str, table: SliceTable) -> Metric:
    """The metric, where a table has what it needs: elsewhere its formula would make numbers of nothing."""
    metric = METRICS[name]
    if not metric.available(table):
        needs = {"mask": "masks", "boundary": "distances between boundaries", "classes": "tumour types"}[metric.needs]
        raise StatsError(
            f"the table has no {needs}", where=name, mend="choose another metric, or measure the case anew"
        )
    return metric


def summarise(table: SliceTable, batch_mean_size: int = 16) -> dict[str, Any]:
    """All aggregates as plain JSON values; metrics that a model does not have are left out.

    Returns:
        "n"; for each metric that every slice has, its means over slices, batches, patients, types and sizes, its
        standard deviation, and on how many slices it is undefined (its means are then None); for each metric of all
        slices together its value, None where that is undefined. Where there are masks "empty_predictions", where there
        are classes "confusion" (rows: truth) and "per_class".
    """
    summary: dict[str, Any] = {"n": table.n}
    for name in METRICS:
        metric = METRICS[name]
        if metric.available(table):
            values = metric.of(table)
            summary[name] = (
                _means(values, table, batch_mean_size) if metric.level == "slice" else _or_none(float(values))
            )
    if table.has_mask:
        summary["empty_predictions"] = int(np.count_nonzero(np.array(table.pred_area) == 0))
    if table.has_classes:
        confusion = metrics.confusion_matrix(np.array(table.label), table.predicted())
        summary["confusion"] = confusion.tolist()
        summary["per_class"] = _per_class(confusion, table)
    return summary


def _means(values: NDArray[np.float64], table: SliceTable, batch_mean_size: int) -> dict[str, Any]:
    """Nothing is dropped: one undefined slice leaves its means undefined."""
    patients = patient_mean(values, table.patient)
    return {
        "slice_mean": _or_none(float(values.mean())),
        "std": _or_none(float(values.std(ddof=1))) if len(values) > 1 else None,
        "batch_mean": _or_none(batch_mean(values, batch_mean_size)),
        "patient_mean": None if patients is None else _or_none(patients),
        "by_class": {k: _or_none(v) for k, v in by_class(values, np.array(table.label)).items()},
        "by_size": {k: _or_none(v) for k, v in by_size(values, table).items()},
        "undefined": int(np.count_nonzero(~np.isfinite(values))),
    }


def _or_none(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _per_class(confusion: NDArray[np.int64], table: SliceTable) -> dict[str, dict[str, float | None]]:
    scores = metrics.per_class(confusion)
    scores["auroc"] = metrics.auroc(np.array(table.class_prob), np.array(table.label))
    return {
        name: {key: _or_none(float(values[k])) for key, values in scores.items()} for k, name in enumerate(CLASS_NAMES)
    }
