"""Metrics in NumPy for mask overlap, mask boundaries, classification and calibration; independent of batch size."""

from btlib.metrics.boundary import BoundaryDistances, boundary_distances, hd95, surface_dice
from btlib.metrics.calibration import brier, ece, nll, weighted_ece
from btlib.metrics.classification import (
    accuracy,
    auroc,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    per_class,
    weighted_auroc,
    weighted_confusion,
)
from btlib.metrics.overlap import (
    EPSILON,
    counts,
    dice,
    dice_from_counts,
    iou,
    iou_from_counts,
    misses,
    precision_from_counts,
    sensitivity_from_counts,
)

__all__ = [
    "EPSILON",
    "BoundaryDistances",
    "accuracy",
    "auroc",
    "balanced_accuracy",
    "boundary_distances",
    "brier",
    "confusion_matrix",
    "counts",
    "dice",
    "dice_from_counts",
    "ece",
    "hd95",
    "iou",
    "iou_from_counts",
    "macro_f1",
    "misses",
    "nll",
    "per_class",
    "precision_from_counts",
    "sensitivity_from_counts",
    "surface_dice",
    "weighted_auroc",
    "weighted_confusion",
    "weighted_ece",
]
