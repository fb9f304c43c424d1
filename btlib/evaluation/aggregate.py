"""Aggregates of the table of samples. Every mean names what it is taken over."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import metrics
from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS, Metric, Metrics, of_volumes
from btlib.evaluation.subgroup import SIZES, size_of
from btlib.ranges import COUNT
from btlib.sample_table import SampleTable


def batch_mean(values: NDArray[np.float64], size: int) -> float:
    """Mean of the means of consecutive batches of `size`; a short last batch has the same weight as a full one.

    The README of the thesis averages Dice of C–G in this way (39 batches, the last of 4 samples).

    Raises:
        StatsError: `size` is below 1.
    """
    COUNT.require(size, "batch size", error=StatsError)
    return float(np.mean([values[i : i + size].mean() for i in range(0, len(values), size)]))


def patient_mean(values: NDArray[np.float64], patients: list[str | None]) -> float | None:
    """Mean of the patients' means, so that all patients have the same weight; None if a patient id is missing."""
    if any(p is None for p in patients):
        return None
    _, of = np.unique(np.array(patients, dtype=str), return_inverse=True)
    return float(np.mean(np.bincount(of, weights=values) / np.bincount(of)))


def by_class(values: NDArray[np.float64], table: SampleTable) -> dict[str, float | None]:
    """Mean of each class over the samples that have a value; None for a class without values."""
    return {name: _mean_of(values[table.labels == k]) for k, name in enumerate(table.classes)}


def by_size(values: NDArray[np.float64], table: SampleTable) -> dict[str, float | None]:
    """Mean of each third by true area over the samples that have a value; None for a third without values."""
    third = size_of(table)
    return {name: _mean_of(values[third == k]) for k, name in enumerate(SIZES)}


def defined_mean(values: NDArray[np.float64]) -> float:
    """Mean over the samples that have a value; NaN if no sample has one."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _mean_of(values: NDArray[np.float64]) -> float | None:
    return _or_none(defined_mean(values))


def gated_value(table: SampleTable, metric: str, aggregation: str, batch_mean_size: int) -> float:
    """Return the number of `metric` that is compared with a baseline value of this aggregation; NaN if undefined.

    A metric of level "set" has one number for all samples and no mean of batch means. A metric of a subgroup is
    averaged over the samples of the subgroup.

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The table does not have what the metric needs, or the metric does not have this aggregation.
    """
    if METRICS.in_table(metric, table).level == "set" and aggregation != "batch-mean":
        return float(_available(metric, table).of(table))
    values = per_sample(table, metric)[METRICS.in_table(metric, table).members(table)]
    if not len(values):
        return math.nan
    return batch_mean(values, batch_mean_size) if aggregation == "batch-mean" else float(values.mean())


def per_sample(table: SampleTable, metric: str) -> NDArray[np.float64]:
    """Return a metric's value for every sample, float64 [n]; NaN if undefined. Accuracy is 1 (right) or 0 (wrong).

    A metric of a subgroup, such as "dice@size:small", has no value for samples outside the subgroup.
    The name may also be that of a custom column of the table.

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The table does not have what the metric needs, or the metric is of level "set".
    """
    found = _available(metric, table)
    if found.level == "set":
        raise StatsError(
            "is defined for all samples together; a single sample has no value",
            where=metric,
            hint=f"choose one of {', '.join(name for name in METRICS if METRICS[name].level == 'sample')}",
        )
    return found.of(table)


def _available(name: str, table: SampleTable) -> Metric:
    """Return the metric, or raise StatsError if the table does not have what it needs."""
    metric = METRICS.in_table(name, table)
    if not metric.available(table):
        needs = {
            "mask": "masks",
            "boundary": "distances between boundaries",
            "millimetres": "distances in mm, because the size of a pixel is unknown",
            "volumes": "masks of volumes",
            "classes": "class probabilities",
        }[metric.needs]
        if metric.structure is not None and metric.structure not in table.structures:
            needs = f"structure {metric.structure!r}"
        if metric.subgroup is not None and not metric.subgroup.exists(table):
            needs = metric.subgroup.title
        raise StatsError(
            f"the table has no {needs}", where=name, hint="choose another metric, or measure the case again"
        )
    return metric


def summarise(table: SampleTable, batch_mean_size: int = 16, known: Metrics = METRICS) -> dict[str, Any]:
    """Compute all aggregates as plain JSON values; metrics that a model does not have are left out.

    Args:
        table: Table of samples.
        batch_mean_size: Size of the batches of the batch mean.
        known: Metrics to compute, such as those of a task with scores (`catalogue.metrics_of`).

    Returns:
        - "n": number of samples.
        - For each metric of level "sample": its means over samples, batches, patients, classes, sizes and volumes, its
          standard deviation, and the number of samples without a value, which no mean includes.
        - For each metric of level "set": its value, None if undefined.
        - With several structures, the same for the metrics of each structure.
        - With masks: "empty_predictions". With classes: "confusion" (rows: true class) and "per_class".
    """
    summary: dict[str, Any] = {"n": table.n}
    for name in known.of_table(table):
        metric = known[name]
        values = metric.of(table)
        if metric.level == "set":
            summary[name] = _or_none(float(values))
            continue
        summary[name] = _means(values, table, batch_mean_size)
        if table.has_volumes and metric.needs == "mask":
            summary[name]["volume_mean"] = _mean_of(of_volumes(metric.of, table))
    if table.has_mask:
        summary["empty_predictions"] = int(np.count_nonzero(table.overlap()[1].sum(axis=1) == 0))
    if table.has_classes:
        confusion = metrics.confusion_matrix(table.labels, table.predicted(), len(table.classes))
        summary["confusion"] = confusion.tolist()
        summary["per_class"] = _per_class(confusion, table)
    return summary


def _means(values: NDArray[np.float64], table: SampleTable, batch_mean_size: int) -> dict[str, Any]:
    """Compute the means of one metric. Samples without a value are counted in "undefined" and are in no mean."""
    known = np.isfinite(values)
    defined, patients = values[known], [p for p, has_value in zip(table.patient, known, strict=True) if has_value]
    return {
        "slice_mean": _mean_of(values),
        "std": _or_none(float(defined.std(ddof=1))) if len(defined) > 1 else None,
        "batch_mean": _or_none(batch_mean(defined, batch_mean_size)) if len(defined) else None,
        "patient_mean": patient_mean(defined, patients) if len(defined) else None,
        **({"by_class": by_class(values, table)} if table.classes else {}),
        **({"by_size": by_size(values, table)} if table.structures else {}),
        "undefined": int(np.count_nonzero(~known)),
    }


def _or_none(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _per_class(confusion: NDArray[np.int64], table: SampleTable) -> dict[str, dict[str, float | None]]:
    scores = metrics.per_class(confusion)
    scores["auroc"] = metrics.auroc(table.class_prob, table.labels)
    return {
        name: {key: _or_none(float(values[k])) for key, values in scores.items()}
        for k, name in enumerate(table.classes)
    }
