"""Overlap of a predicted with a true mask. Integers are counted first, so that one table serves every formula."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.metrics.checks import check_masks

EPSILON = 1e-6
"""Added to numerator and denominator, as in the thesis: two empty masks agree (1), an empty and a full one do not."""


def counts(
    pred: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pixels in the intersection, in the predicted mask and in the true mask.

    Args:
        pred: Predicted masks, bool [..., h, w].
        truth: True masks of the same shape.

    Returns:
        Intersection, predicted area and true area, int64 [...].

    Raises:
        PredictionError: Not boolean, or of different shapes.
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

    0 where nothing was predicted, for that is a miss; NaN where the true mask is empty.
    """
    return _share(intersection, truth_area, np.nan)


def precision_from_counts(intersection: ArrayLike, pred_area: ArrayLike, truth_area: ArrayLike) -> NDArray[np.float64]:
    """Share of the predicted mask that is true, 0…1 (doi 10.1038/s41592-023-02151-z).

    0 where nothing was predicted, for that is a miss; NaN where both masks are empty.
    """
    nothing = (np.asarray(pred_area) == 0) & (np.asarray(truth_area) == 0)
    return np.where(nothing, np.nan, _share(intersection, pred_area, 0.0))


def misses(dice: NDArray[np.float64], below: float = 0.1) -> NDArray[np.float64]:
    """1 for each sample whose Dice is below 0.1, that is, whose tumour was missed; else 0."""
    return np.asarray(dice < below, dtype=np.float64)


def _share(part: ArrayLike, whole: ArrayLike, undefined: float) -> NDArray[np.float64]:
    p, w = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(p, w, out=np.full(p.shape, undefined), where=w > 0))


def dice(pred: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice coefficient of one mask, bool [h, w], 0…1; 1 where both are empty (Dice 1945, doi 10.2307/1932409).

    Raises:
        PredictionError: Not boolean, of different shapes, or a stack of masks.
    """
    check_masks(pred, truth, single=True)
    return float(dice_from_counts(*counts(pred, truth)))


def iou(pred: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of one mask, bool [h, w], 0…1; 1 where both are empty.

    Jaccard 1912, doi 10.1111/j.1469-8137.1912.tb05611.x.

    Raises:
        PredictionError: Not boolean, of different shapes, or a stack of masks.
    """
    check_masks(pred, truth, single=True)
    return float(iou_from_counts(*counts(pred, truth)))
