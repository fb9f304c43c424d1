"""Positions of patches on a sample, and maps computed from the drop of each patch."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from btlib.errors import OptionError
from btlib.ranges import COUNT, Range

PATCH, STRIDE = 32, 8
"""Patch and stride of the thesis in pixels."""

PATCHES, STEPS = 256 // PATCH, PATCH // STRIDE
"""The same relative to the thesis's image size of 256 px: patches per side, and strides per patch."""


def scaled(side: int, patches: int = PATCHES, steps: int = STEPS) -> tuple[int, int]:
    """Compute patch and stride in pixels for a sample size; for 256 px they are 32 and 8, as in the thesis.

    Args:
        side: Shorter side of the sample in pixels.
        patches: Number of patches per side.
        steps: Number of strides per patch.
    """
    patch = max(side // patches, 1)
    return patch, max(patch // steps, 1)


def positions(
    shape: tuple[int, ...], patch: int = PATCH, stride: int = STRIDE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return top edges [rows] and left edges [columns] of the patches, in pixels from 0.

    All patches lie completely in the sample. If the stride does not divide `side - patch`, no patch covers a margin at
    the bottom or on the right. Captum adds a patch there that is cut at the border; otherwise the two agree.

    Args:
        shape: Height and width.
        patch: Side of the square patch in pixels.
        stride: Distance from one patch to the next in pixels, at most `patch`, so that there are no gaps.

    Raises:
        OptionError: The patch is below 1 or larger than the sample, or the stride is below 1 or above the patch.
    """
    COUNT.require(patch, "occlusion: patch")
    if stride not in Range(1, patch, whole=True):
        raise OptionError(f"expected a stride of 1…{patch} (the patch), got {stride}", where="occlusion")
    if len(shape) != 2 or patch > min(shape):
        raise OptionError(f"a patch of {patch} px does not fit a sample of shape {shape}", where="occlusion")
    tops, lefts = (np.arange(0, side - patch + 1, stride, dtype=np.int64) for side in shape)
    return tops, lefts


def corners(tops: NDArray[np.int64], lefts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return top and left edge of each patch, row by row, int64 [rows * columns, 2]."""
    return np.array(list(product(tops, lefts)), dtype=np.int64)


def spread(
    found: NDArray[np.float64], shape: tuple[int, ...], patch: int = PATCH, stride: int = STRIDE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the sum and the mean of the drops over each pixel, float64 [h, w] each; the mean is NaN under no patch.

    Args:
        found: Drop with the patch at each position, float64 [rows, columns].
        shape: Height and width.
        patch: Side of the patch in pixels.
        stride: Distance from one patch to the next in pixels.
    """
    rows, columns = (
        _under(edges, side, patch) for edges, side in zip(positions(shape, patch, stride), shape, strict=True)
    )
    total = rows @ found @ columns.T
    patches = np.outer(rows.sum(axis=1), columns.sum(axis=1))
    return total, np.divide(total, patches, out=np.full_like(total, np.nan), where=patches > 0)


def _under(edges: NDArray[np.int64], side: int, patch: int) -> NDArray[np.float64]:
    """Return a matrix [side, patches]: 1 if a pixel lies under a patch, else 0. A product with it sums over patches."""
    pixels = np.arange(side)[:, None]
    return ((edges <= pixels) & (pixels < edges + patch)).astype(np.float64)
