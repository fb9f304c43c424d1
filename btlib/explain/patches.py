"""Where patches lie on a sample, and how what each of them did becomes a map."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from btlib.errors import OptionError

PATCH, STRIDE = 32, 8
"""The thesis's patch and stride in pixels."""

PATCHES, STEPS = 256 // PATCH, PATCH // STRIDE
"""The same as shares: patches side by side in the thesis's sample of 256 px, strides in a patch."""


def scaled(side: int, patches: int = PATCHES, steps: int = STEPS) -> tuple[int, int]:
    """Patch and stride in pixels for a sample of another size; the thesis's 32 and 8 at its 256 px.

    Args:
        side: Of the sample in pixels, the shorter one.
        patches: How many patches stand side by side in it.
        steps: Strides in a patch.
    """
    patch = max(side // patches, 1)
    return patch, max(patch // steps, 1)


def positions(
    shape: tuple[int, ...], patch: int = PATCH, stride: int = STRIDE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Top edges [rows] and left edges [columns] of the patches, in pixels from 0.

    Only whole patches: where the stride does not divide `side - patch`, a margin at the bottom or on the right stays
    bare. Captum puts a patch there that is cut off at the border; where the stride divides, the two agree.

    Args:
        shape: Height and width.
        patch: Side of the square patch in pixels.
        stride: From one patch to the next in pixels, at most `patch`, so that no pixel between two stays bare.

    Raises:
        OptionError: A stride below 1 or above the patch, or a patch that is larger than the sample.
    """
    if not 1 <= stride <= patch:
        raise OptionError(f"expected a stride of 1…{patch} (the patch), got {stride}", where="occlusion")
    if len(shape) != 2 or patch > min(shape):
        raise OptionError(f"a patch of {patch} px does not fit a sample of shape {shape}", where="occlusion")
    tops, lefts = (np.arange(0, side - patch + 1, stride, dtype=np.int64) for side in shape)
    return tops, lefts


def corners(tops: NDArray[np.int64], lefts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Top and left edge of each patch, row by row, int64 [rows * columns, 2]."""
    return np.array(list(product(tops, lefts)), dtype=np.int64)


def spread(
    found: NDArray[np.float64], shape: tuple[int, ...], patch: int = PATCH, stride: int = STRIDE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The maps of drops: their sum and their mean over each pixel, float64 [h, w] each; the mean is NaN under no patch.

    Args:
        found: The drop with the patch at each position, float64 [rows, columns].
        shape: Height and width.
        patch: Side of the patch in pixels.
        stride: From one patch to the next in pixels.
    """
    rows, columns = (
        _under(edges, side, patch) for edges, side in zip(positions(shape, patch, stride), shape, strict=True)
    )
    total = rows @ found @ columns.T
    patches = np.outer(rows.sum(axis=1), columns.sum(axis=1))
    return total, np.divide(total, patches, out=np.full_like(total, np.nan), where=patches > 0)


def _under(edges: NDArray[np.int64], side: int, patch: int) -> NDArray[np.float64]:
    """Which pixels of a side lie under which patch, 0 or 1, [side, patches]. Sums over patches are products with it."""
    pixels = np.arange(side)[:, None]
    return ((edges <= pixels) & (pixels < edges + patch)).astype(np.float64)
