"""Occlusion sensitivity: how much less sure a model is of a class with a patch of the sample hidden.

As in Zeiler and Fergus, 2014 (https://doi.org/10.1007/978-3-319-10590-1_53).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from btlib.errors import OptionError, PredictionError
from btlib.explain.patches import PATCH, STRIDE, corners, positions, spread
from btlib.registry import unknown_name

Score = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Images, float32 [n, …, h, w] → the probability of the class that is explained, [n], 0…1."""

Fill = Literal["zero", "mean", "blur"]
"""What a patch is hidden with: zeros, the sample's mean, or the sample itself blurred."""

BATCH = 32
"""The thesis's batch size."""

_BLUR = 1 / 3
"""Sigma of the blur as a share of the patch's side: 11 px at 32, so that nothing of a patch's size is left to see."""


@dataclass(frozen=True, eq=False)
class OcclusionMap:
    """What hiding each patch of a sample did. Positive where the model needs what is there.

    Attributes:
        total: The thesis's map, float64 [h, w]: the sum of the drops of all patches over a pixel; 0 under none.
        average: Captum's convention, float64 [h, w]: their mean; NaN under none.
        base: Probability of the class on the sample as it is.
        drops: float64 [rows, columns]: `base` less the probability with the patch at that position.
    """

    total: NDArray[np.float64]
    average: NDArray[np.float64]
    base: float
    drops: NDArray[np.float64]

    @property
    def effect(self) -> float:
        """Range of the drops, largest less smallest: what a map has to show."""
        return float(np.ptp(self.drops))


def filled(image: NDArray[np.float32], fill: Fill, patch: int = PATCH) -> NDArray[np.float32]:
    """What the patches show instead of the image: one of its shape, each channel by itself.

    Raises:
        UnknownNameError: No such fill.
    """
    match fill:
        case "zero":
            return np.zeros_like(image)
        case "mean":
            means = image.mean(axis=(-2, -1), dtype=np.float64, keepdims=True).astype(image.dtype)
            return np.broadcast_to(means, image.shape).copy()
        case "blur":
            blurred: NDArray[np.float32] = gaussian_filter(image, patch * _BLUR, mode="nearest", axes=(-2, -1))
            return blurred
    raise unknown_name("fill", fill, get_args(Fill), where="occlusion")


def occlusion_maps(
    score: Score,
    image: NDArray[np.float32],
    *,
    patch: int = PATCH,
    stride: int = STRIDE,
    fill: Fill = "zero",
    batch_size: int = BATCH,
) -> OcclusionMap:
    """Hide each patch in turn and map the drops of the score.

    Args:
        score: Of the class that is explained. It may not write to what it is given, which is used again.
        image: float32 [h, w] or [channels, h, w]; a patch hides all channels.
        patch: Side of the patch in pixels.
        stride: From one patch to the next in pixels.
        fill: What a patch is hidden with.
        batch_size: Samples handed to `score` at once.

    Raises:
        OptionError: Patch, stride, sample and batch size do not go together.
        UnknownNameError: No such fill.
        PredictionError: The score is not one finite number a sample.
    """
    if image.ndim not in (2, 3):
        raise OptionError(f"expected an image [h, w] or [channels, h, w], got shape {image.shape}", where="occlusion")
    shape = image.shape[-2:]
    tops, lefts = positions(shape, patch, stride)
    base, found = drops(score, image, corners(tops, lefts), patch=patch, fill=fill, batch_size=batch_size)
    found = found.reshape(len(tops), len(lefts))
    total, average = spread(found, shape, patch, stride)
    return OcclusionMap(total, average, base, found)


def drops(
    score: Score,
    image: NDArray[np.float32],
    at: NDArray[np.int64],
    *,
    patch: int = PATCH,
    fill: Fill = "zero",
    batch_size: int = BATCH,
) -> tuple[float, NDArray[np.float64]]:
    """The score of the sample as it is, and by how much it drops with each patch hidden, float64 [n].

    The sample as it is goes first in the first batch: scored alone, it may be rounded in another way.

    Args:
        score: Of the class that is explained.
        image: float32 [h, w] or [channels, h, w]; a patch hides all channels.
        at: Top and left edge of each patch, int64 [n, 2].
        patch: Side of the patch in pixels.
        fill: What it is hidden with.
        batch_size: Samples handed to `score` at once.

    Raises:
        OptionError: A batch size below 1.
        UnknownNameError: No such fill.
        PredictionError: The score is not one finite number a sample.
    """
    if batch_size < 1:
        raise OptionError(f"expected a batch size of at least 1, got {batch_size}", where="occlusion")
    image = np.asarray(image, dtype=np.float32)
    instead = filled(image, fill, patch)
    places = [(..., slice(0), slice(0)), *((..., slice(y, y + patch), slice(x, x + patch)) for y, x in at)]
    scores = np.empty(len(places))
    batch = np.repeat(image[None], min(batch_size, len(places)), axis=0)
    for start in range(0, len(places), len(batch)):
        here = places[start : start + len(batch)]
        for hidden, place in zip(batch, here, strict=False):
            hidden[place] = instead[place]
        scores[start : start + len(here)] = _scored(score, batch[: len(here)])
        for hidden, place in zip(batch, here, strict=False):
            hidden[place] = image[place]
    return float(scores[0]), scores[0] - scores[1:]


def _scored(score: Score, images: NDArray[np.float32]) -> NDArray[np.floating]:
    scores = np.asarray(score(images))
    if scores.shape != (len(images),) or not np.isfinite(scores).all():
        raise PredictionError(
            f"expected {len(images)} finite scores, one a sample, got shape {scores.shape} with "
            f"{np.isfinite(scores).sum()} finite",
            where="occlusion",
            hint="return the probability of one class for each sample",
        )
    return scores
