"""Metrics in NumPy, independent of batch size: overlap of masks, and classification."""

from btlib.metrics.classification import accuracy, balanced_accuracy, confusion_matrix, macro_f1, per_class
from btlib.metrics.overlap import EPSILON, counts, dice, dice_from_counts, iou, iou_from_counts

__all__ = [
    "EPSILON",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "counts",
    "dice",
    "dice_from_counts",
    "iou",
    "iou_from_counts",
    "macro_f1",
    "per_class",
]
