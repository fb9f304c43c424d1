"""Aggregates are views of the per-slice table: every mean says over what."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import metrics
from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS, Metric
from btlib.sample_table import SampleTable

_DIGITS = re.compile(r"(\d+)")

SIZES = ("small", "middle", "large")
"""Tertiles of the true area, all structures together, among the samples of a table."""


def batch_mean(values: NDArray[np.float64], size: int) -> float:
    """Mean of the means of consecutive batches of `size`; a short last batch weighs as much as a full one.

    This is how the thesis's README averages Dice for C–G (39 batches, the last of 4 samples).
    """
    return float(np.mean([values[i : i + size].mean() for i in range(0, len(values), size)]))


def patient_mean(values: NDArray[np.float64], patients: list[str | None]) -> float | None:
    """Mean of the patients' means, so that a patient of 38 samples counts as one; None without patient ids."""
    if any(p is None for p in patients):
        return None
    _, of = np.unique(np.array(patients, dtype=str), return_inverse=True)
    return float(np.mean(np.bincount(of, weights=values) / np.bincount(of)))


def by_class(values: NDArray[np.float64], table: SampleTable) -> dict[str, float | None]:
    """Mean within each class over the samples that have a value; None for a class without any."""
    return {name: _mean_of(values[table.labels == k]) for k, name in enumerate(table.classes)}


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Key that sorts ids as people do: "sample 9" comes before "sample 10"."""
    return [(int(part), "") if k % 2 else (0, part) for k, part in enumerate(_DIGITS.split(name))], name


def size_of(table: SampleTable) -> NDArray[np.int64]:
    """Which third of the samples each belongs to by true area, int64 [n]: 0 small, 1 middle, 2 large.

    Ties are broken by id, so that the thirds do not depend on the order of the table.
    """
    areas = table.truth_area.sum(axis=1).tolist()
    order = np.array(sorted(range(table.n), key=lambda i: (areas[i], natural(table.id[i]))))
    third = np.empty(table.n, dtype=np.int64)
    third[order] = np.arange(table.n) * len(SIZES) // table.n
    return third


def by_size(values: NDArray[np.float64], table: SampleTable) -> dict[str, float | None]:
    """Mean within each third by true area over the samples that have a value; None for a third without any."""
    third = size_of(table)
    return {name: _mean_of(values[third == k]) for k, name in enumerate(SIZES)}


def defined_mean(values: NDArray[np.float64]) -> float:
    """Mean over the samples that have a value; NaN where none has one. How many have none is told beside it."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _mean_of(values: NDArray[np.float64]) -> float | None:
    return _or_none(defined_mean(values))


def gated_value(table: SampleTable, metric: str, aggregation: str, batch_mean_size: int) -> float:
    """The one number of `metric` that a baseline figure of this aggregation is compared with.

    A metric of all samples together has one number; it has no mean of batch means. NaN where it is undefined.

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The table does not have it, or not this aggregation of it.
    """
    if METRICS[metric].level == "set" and aggregation != "batch-mean":
        return float(_available(metric, table).of(table))
    values = per_sample(table, metric)
    return batch_mean(values, batch_mean_size) if aggregation == "batch-mean" else float(values.mean())


def per_sample(table: SampleTable, metric: str) -> NDArray[np.float64]:
    """A metric's value for every sample, float64 [n], NaN where it has none; accuracy is 1 (right) or 0 (wrong).

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The table does not have what the metric needs, or only all samples together have a value.
    """
    found = _available(metric, table)
    if found.level == "set":
        raise StatsError(
            "is of all samples together; one sample has no value of it",
            where=metric,
            hint=f"choose one of {', '.join(name for name in METRICS if METRICS[name].level == 'sample')}",
        )
    return found.of(table)


def _available(name: str, table: SampleTable) -> Metric:
    """The metric, where a table has what it needs: elsewhere its formula would make numbers of nothing."""
    metric = METRICS[name]
    if not metric.available(table):
        needs = {"mask": "masks", "boundary": "distances between boundaries", "classes": "class probabilities"}[
            metric.needs
        ]
        if metric.structure is not None and metric.structure not in table.structures:
            needs = f"structure {metric.structure!r}"
        raise StatsError(
            f"the table has no {needs}", where=name, hint="choose another metric, or measure the case anew"
        )
    return metric


def summarise(table: SampleTable, batch_mean_size: int = 16) -> dict[str, Any]:
    """All aggregates as plain JSON values; metrics that a model does not have are left out.

    Returns:
        "n"; for each metric that every sample has, its means over samples, batches, patients, classes, sizes and
        volumes, its standard deviation, and how many samples have no value, over which no mean is; for each metric of
        all samples together its value, None where that is undefined. With several structures also the metrics of each.
        Where there are masks "empty_predictions", where there are classes "confusion" (rows: truth) and "per_class".
    """
    summary: dict[str, Any] = {"n": table.n}
    volumes = table.by_volume()
    for name in METRICS.of_table(table):
        metric = METRICS[name]
        values = metric.of(table)
        if metric.level == "set":
            summary[name] = _or_none(float(values))
            continue
        summary[name] = _means(values, table, batch_mean_size)
        if volumes is not None and metric.available(volumes):
            summary[name]["volume_mean"] = _mean_of(metric.of(volumes))
    if table.has_mask:
        summary["empty_predictions"] = int(np.count_nonzero(table.overlap()[1].sum(axis=1) == 0))
    if table.has_classes:
        confusion = metrics.confusion_matrix(table.labels, table.predicted(), len(table.classes))
        summary["confusion"] = confusion.tolist()
        summary["per_class"] = _per_class(confusion, table)
    return summary


def _means(values: NDArray[np.float64], table: SampleTable, batch_mean_size: int) -> dict[str, Any]:
    """Samples without a value are counted in "undefined", and are in no mean."""
    known = np.isfinite(values)
    defined, patients = values[known], [p for p, there in zip(table.patient, known, strict=True) if there]
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
