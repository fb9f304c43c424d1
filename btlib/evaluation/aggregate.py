"""Aggregates are views of the per-slice table: every mean says over what."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import metrics
from btlib.slice_table import SliceTable
from btlib.types import CLASS_NAMES


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


def gated_value(table: SliceTable, metric: str, aggregation: str, batch_mean_size: int) -> float:
    """The one number of `metric` that a baseline figure of this aggregation is compared with."""
    values = per_slice(table, metric)
    return batch_mean(values, batch_mean_size) if aggregation == "batch-mean" else float(values.mean())


def per_slice(table: SliceTable, metric: str) -> NDArray[np.float64]:
    """A metric's value for every slice: "dice" as it is, "accuracy" as 1 (right) or 0 (wrong)."""
    return table.dice() if metric == "dice" else table.correct().astype(np.float64)


def summarise(table: SliceTable, batch_mean_size: int = 16) -> dict[str, Any]:
    """All aggregates as plain JSON values; the parts a model does not have are left out.

    Returns:
        "n", and where there are masks "dice" and "iou", where there are classes "accuracy", "macro_f1",
        "balanced_accuracy", "confusion" (rows: truth) and "per_class".
    """
    summary: dict[str, Any] = {"n": table.n}
    labels = np.array(table.label)
    if table.has_mask:
        summary["dice"] = _overlap(table.dice(), table, batch_mean_size)
        summary["iou"] = _overlap(table.iou(), table, batch_mean_size)
        summary["empty_predictions"] = int(np.count_nonzero(np.array(table.pred_area) == 0))
    if table.has_classes:
        correct = table.correct().astype(np.float64)
        confusion = metrics.confusion_matrix(labels, table.predicted())
        summary["accuracy"] = {
            "slice_mean": float(correct.mean()),
            "patient_mean": patient_mean(correct, table.patient),
        }
        summary["macro_f1"] = metrics.macro_f1(confusion)
        summary["balanced_accuracy"] = metrics.balanced_accuracy(confusion)
        summary["confusion"] = confusion.tolist()
        summary["per_class"] = _per_class(confusion)
    return summary


def _overlap(values: NDArray[np.float64], table: SliceTable, batch_mean_size: int) -> dict[str, Any]:
    return {
        "slice_mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "batch_mean": batch_mean(values, batch_mean_size),
        "patient_mean": patient_mean(values, table.patient),
        "by_class": by_class(values, np.array(table.label)),
    }


def _per_class(confusion: NDArray[np.int64]) -> dict[str, dict[str, float | None]]:
    scores = metrics.per_class(confusion)
    return {
        name: {key: None if np.isnan(values[k]) else float(values[k]) for key, values in scores.items()}
        for k, name in enumerate(CLASS_NAMES)
    }
