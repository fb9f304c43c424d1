"""Distances between the boundaries of two masks, in pixels or millimetres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.errors import StatsError
from btlib.metrics.checks import check_masks
from btlib.ranges import NOT_NEGATIVE, POSITIVE


@dataclass(frozen=True, eq=False)
class BoundaryDistances:
    """Distances from each boundary pixel of one mask to the nearest boundary pixel of the other, in both directions.

    They are in pixels, or in mm if the size of a pixel was given.

    Attributes:
        forth: Distances from the predicted to the true boundary, float64 [pixels of the predicted boundary].
        back: Distances from the true to the predicted boundary, float64 [pixels of the true boundary].
        diagonal: Diagonal of the image, used as the distance of a miss.
    """

    forth: NDArray[np.float64]
    back: NDArray[np.float64]
    diagonal: float

    @property
    def missed(self) -> bool:
        """Whether one mask is empty and the other is not."""
        return (len(self.forth) == 0) != (len(self.back) == 0)

    @property
    def undefined(self) -> bool:
        """Whether both masks are empty."""
        return len(self.forth) == len(self.back) == 0

    def hd95(self) -> float:
        """Return the larger of the two 95th percentiles; the diagonal for a miss, NaN if both masks are empty."""
        if self.undefined or self.missed:
            return float("nan") if self.undefined else self.diagonal
        return float(max(np.percentile(self.forth, 95), np.percentile(self.back, 95)))

    def surface_dice(self, tolerance: float) -> float:
        """Return the share of both boundaries within `tolerance` of the other one.

        Returns:
            0…1; 0 for a miss, NaN if both masks are empty.

        Raises:
            StatsError: The tolerance is below 0 or NaN.
        """
        if tolerance not in NOT_NEGATIVE:
            raise StatsError(
                f"expected 0 or more, got {tolerance}", where="tolerance", hint="1 and 2 pixels are common"
            )
        if self.undefined:
            return float("nan")
        near = np.count_nonzero(self.forth <= tolerance) + np.count_nonzero(self.back <= tolerance)
        return 0.0 if self.missed else float(near / (len(self.forth) + len(self.back)))


def boundary_distances(
    pred: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, float] | None = None
) -> BoundaryDistances:
    """Compute the distances between the boundaries of two masks.

    A mask's boundary is the mask minus its erosion by the four neighbours. Pixels beyond the image border are outside.

    Args:
        pred: Predicted mask, bool [h, w].
        truth: True mask of the same shape.
        spacing: Size of a pixel in mm, height and width, for distances in mm; None for distances in pixels.

    Raises:
        PredictionError: The masks are not boolean, have different shapes, or are stacks of masks.
        StatsError: A length of `spacing` is not above 0.
    """
    check_masks(pred, truth, single=True)
    if spacing is not None and not all(length in POSITIVE for length in spacing):
        raise StatsError(f"expected lengths above 0 in mm, got {spacing}", where="spacing")
    y, x = spacing or (1.0, 1.0)
    diagonal = float(np.hypot(pred.shape[0] * y, pred.shape[1] * x))
    if not (pred.any() and truth.any()):
        return BoundaryDistances(np.zeros(int(pred.any())), np.zeros(int(truth.any())), diagonal)
    box = _box(pred | truth)
    first, second = _boundary(pred[box]), _boundary(truth[box])
    return BoundaryDistances(_to(second, spacing)[first], _to(first, spacing)[second], diagonal)


def hd95(pred: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, float] | None = None) -> float:
    """95th-percentile Hausdorff distance of two masks, 0…image diagonal (doi 10.1109/34.232073).

    Args:
        pred: Predicted mask, bool [h, w].
        truth: True mask of the same shape.
        spacing: Size of a pixel in mm, height and width, for a distance in mm; None for a distance in pixels.

    Returns:
        The larger of the two directed 95th percentiles. If only one mask is empty (a miss), the image's diagonal, which
        is the worst possible value (MONAI returns NaN and excludes it). If both masks are empty, NaN.

    Raises:
        PredictionError: The masks are not boolean, have different shapes, or are stacks of masks.
    """
    return boundary_distances(pred, truth, spacing).hd95()


def surface_dice(
    pred: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    tolerance: float = 1.0,
    spacing: tuple[float, float] | None = None,
) -> float:
    """Normalised surface Dice: the share of both boundaries within a tolerance, 0…1 (doi 10.2196/26151).

    All pixels of the boundaries have the same weight, also if their height and width differ.

    Args:
        pred: Predicted mask, bool [h, w].
        truth: True mask of the same shape.
        tolerance: Largest accepted distance, 0 or more, in mm if `spacing` is given, otherwise in pixels.
        spacing: Size of a pixel in mm, height and width; None for distances in pixels.

    Returns:
        0…1; 0 if only one mask is empty, NaN if both are empty.

    Raises:
        PredictionError: The masks are not boolean, have different shapes, or are stacks of masks.
        StatsError: The tolerance is not a finite number of 0 or more.
    """
    return boundary_distances(pred, truth, spacing).surface_dice(tolerance)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Bounding box of the mask. Pixels outside it never affect the distances."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return mask & ~inner


def _to(boundary: NDArray[np.bool_], spacing: tuple[float, float] | None) -> NDArray[np.float64]:
    """Compute the distance of every pixel to the nearest pixel of a boundary, in mm if the spacing is given."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~boundary, sampling=spacing), dtype=np.float64)
