"""Overlap of a predicted and a true mask. All formulas use the same pixel counts, which are integers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.errors import StatsError
from btlib.metrics.checks import check_masks
from btlib.ranges import SHARE

EPSILON = 1e-6
"""Constant added to numerator and denominator, as in the thesis. Two empty masks get 1, only one empty mask about 0."""


def counts(
    pred: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count the pixels of the intersection, of the predicted mask and of the true mask.

    Args:
        pred: Predicted masks, bool [..., h, w].
        truth: True masks of the same shape.

    Returns:
        Intersection, predicted area and true area, int64 [...].

    Raises:
        PredictionError: The masks are not boolean or have different shapes.
    """
    check_masks(pred, truth)
    return _pixels(pred & truth), _pixels(pred), _pixels(truth)


def _pixels(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.asarray(np.count_nonzero(mask, axis=(-2, -1)), dtype=np.int64)


def dice_from_counts(intersection: ArrayLike, pred_area: ArrayLike, truth_area: ArrayLike) -> NDArray[np.float64]:
    """Dice coefficient, (2·|P∩T| + ε) / (|P| + |T| + ε), 0…1, float64 of the counts' shape."""
    i, p, t = (np.asarray(v, dtype=np.float64) for v in (intersection, pred_area, truth_area))
    return np.asarray((2 * i + EPSILON) / (p + t + EPSILON))


def iou_from_counts(intersection: ArrayLike, pred_area: ArrayLike, truth_area: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union, (|P∩T| + ε) / (|P∪T| + ε), 0…1, float64 of the counts' shape."""
    i, p, t = (np.asarray(v, dtype=np.float64) for v in (intersection, pred_area, truth_area))
    return np.asarray((i + EPSILON) / (p + t - i + EPSILON))


def sensitivity_from_counts(intersection: ArrayLike, truth_area: ArrayLike) -> NDArray[np.float64]:
    """Share of the true mask that was found, 0…1 (doi 10.1038/s41592-023-02151-z).

    It is 0 if the predicted mask is empty (a miss), and NaN if the true mask is empty.
    """
    return _share(intersection, truth_area, np.nan)


def precision_from_counts(intersection: ArrayLike, pred_area: ArrayLike, truth_area: ArrayLike) -> NDArray[np.float64]:
    """Share of the predicted mask that is true, 0…1 (doi 10.1038/s41592-023-02151-z).

    It is 0 if only the predicted mask is empty (a miss), and NaN if both masks are empty.
    """
    both_empty = (np.asarray(pred_area) == 0) & (np.asarray(truth_area) == 0)
    return np.where(both_empty, np.nan, _share(intersection, pred_area, 0.0))


def misses(dice: NDArray[np.float64], below: float = 0.1) -> NDArray[np.float64]:
    """Mark missed samples: 1 for each sample whose Dice is below `below` (0…1), else 0.

    Raises:
        StatsError: `below` is not in 0…1.
    """
    SHARE.require(below, "below", error=StatsError, hint="0.1 is usual")
    return np.asarray(dice < below, dtype=np.float64)


def _share(part: ArrayLike, whole: ArrayLike, undefined: float) -> NDArray[np.float64]:
    p, w = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(p, w, out=np.full(p.shape, undefined), where=w > 0))


def dice(pred: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks, bool [h, w], 0…1; 1 if both are empty (Dice 1945, doi 10.2307/1932409).

    Raises:
        PredictionError: The masks are not boolean, have different shapes, or are stacks of masks.
    """
    check_masks(pred, truth, single=True)
    return float(dice_from_counts(*counts(pred, truth)))


def iou(pred: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks, bool [h, w], 0…1; 1 if both are empty.

    Jaccard 1912, doi 10.1111/j.1469-8137.1912.tb05611.x.

    Raises:
        PredictionError: The masks are not boolean, have different shapes, or are stacks of masks.
    """
    check_masks(pred, truth, single=True)
    return float(iou_from_counts(*counts(pred, truth)))
