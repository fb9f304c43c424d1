"""Occlusion sensitivity: the drop of a class probability if a patch of the sample is hidden.

See Zeiler and Fergus, 2014 (https://doi.org/10.1007/978-3-319-10590-1_53).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from btlib.errors import OptionError, PredictionError
from btlib.explain.patches import PATCH, STRIDE, corners, positions, spread
from btlib.ranges import COUNT
from btlib.registry import unknown_name

Score = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Function from images, float32 [n, …, h, w], to the probability of the explained class, [n], 0…1."""

Fill = Literal["zero", "mean", "blur"]
"""Fill of a hidden patch: zeros, the sample's mean, or the blurred sample."""

BATCH = 32
"""The thesis's batch size."""

_BLUR = 1 / 3
"""Sigma of the blur as a share of the patch's side: 11 px at 32, so that structures of a patch's size disappear."""


@dataclass(frozen=True, eq=False)
class OcclusionMap:
    """Occlusion map of one sample. Values are positive where hiding a region lowers the probability.

    Attributes:
        total: The thesis's map, float64 [h, w]: sum of the drops of all patches over a pixel; 0 under no patch.
        average: Map by Captum's convention, float64 [h, w]: mean of these drops; NaN under no patch.
        base: Probability of the class on the unchanged sample.
        drops: `base` minus the probability with the patch at each position, float64 [rows, columns].
    """

    total: NDArray[np.float64]
    average: NDArray[np.float64]
    base: float
    drops: NDArray[np.float64]

    @property
    def effect(self) -> float:
        """Range of the drops: the largest minus the smallest."""
        return float(np.ptp(self.drops))


def filled(image: NDArray[np.float32], fill: Fill, patch: int = PATCH) -> NDArray[np.float32]:
    """Return the values that replace hidden pixels, in the shape of the image. Each channel is filled separately.

    Raises:
        UnknownNameError: There is no such fill.
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
        score: Score of the explained class. It must not write to its images, which are used again.
        image: Sample, float32 [h, w] or [channels, h, w]; a patch hides all channels.
        patch: Side of the patch in pixels.
        stride: Distance from one patch to the next in pixels.
        fill: Fill of a hidden patch.
        batch_size: Number of images per call of `score`.

    Raises:
        OptionError: Patch, stride and sample size do not fit each other, or the batch size is below 1.
        UnknownNameError: There is no such fill.
        PredictionError: The score is not one finite number per image.
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
    """Compute the score of the unchanged sample, and its drop with each patch hidden, float64 [n].

    The unchanged sample is the first image of the first batch, because a separate call may round differently.

    Args:
        score: Score of the explained class. It must not write to its images, which are used again.
        image: Sample, float32 [h, w] or [channels, h, w]; a patch hides all channels.
        at: Top and left edge of each patch in pixels, int64 [n, 2].
        patch: Side of the patch in pixels.
        fill: Fill of a hidden patch.
        batch_size: Number of images per call of `score`.

    Raises:
        OptionError: The batch size is below 1.
        UnknownNameError: There is no such fill.
        PredictionError: The score is not one finite number per image.
    """
    COUNT.require(batch_size, "occlusion: batch size")
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
            f"expected {len(images)} finite scores, one per image, got shape {scores.shape} with "
            f"{np.isfinite(scores).sum()} finite",
            where="occlusion",
            hint="return the probability of one class for each image",
        )
    return scores
