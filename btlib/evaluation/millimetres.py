"""Distances in millimetres between predicted and true masks, on the grid of the source."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.originals import Originals
from btlib.evaluation.resizing import resized
from btlib.metrics import boundary_distances
from btlib.sample_table import MILLIMETRES

_TOLERANCE = 2.0  # mm, of `surface_dice_2mm`


def in_millimetres(
    mask_prob: NDArray[np.floating], originals: Originals, at: NDArray[np.int64], threshold: float
) -> NDArray[np.float64]:
    """Compute the measures of `MILLIMETRES`, rounded to four decimals.

    The probabilities are interpolated to the height and width of the original image, and then compared with the
    threshold. So the masks have the true proportions, and the size of a pixel of the original image is that of the
    distances.

    Args:
        mask_prob: Probabilities of the masks as the model returned them, [n, k, s, s].
        originals: Original masks of the data set.
        at: Positions of the n samples in the data set.
        threshold: A pixel belongs to the mask if its probability is greater than this value.

    Returns:
        float64 [2, n, k]; NaN for a sample without known spacing, and if both masks are empty.
    """
    found = np.full((len(MILLIMETRES), *mask_prob.shape[:2]), np.nan)
    for i, position in enumerate(at):
        original = originals.read(int(position))
        if original is None:
            continue
        masks = resized(mask_prob[i : i + 1], (1, *original.mask.shape))[0] > threshold
        for k, (mask, truth) in enumerate(zip(masks, original.mask, strict=True)):
            distances = boundary_distances(mask, truth, original.spacing)
            found[:, i, k] = [round(value, 4) for value in (distances.hd95(), distances.surface_dice(_TOLERANCE))]
    return found
