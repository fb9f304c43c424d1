"""Preprocessing of a sample: resizing to a square and scaling. The default reproduces the thesis's rule bit by bit."""

from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from btlib.ranges import Range
from btlib.registry import unknown_name
from btlib.types import Scaling

_RESIZABLE = {"uint8", "uint16", "int16", "float32", "float64"}  # the dtypes cv2 interpolates
_PERCENTILES = (1.0, 99.0)
_SIDE = Range(2, whole=True)


def check(image_size: int, scaling: str) -> None:
    """Raise an error for an invalid size or scaling.

    Raises:
        OptionError: The size is not a whole number from 2 pixels.
        UnknownNameError: There is no scaling of this name.
    """
    _SIDE.require(image_size, "image_size", hint="the thesis uses 256")
    if scaling not in get_args(Scaling):
        raise unknown_name("scaling", scaling, get_args(Scaling))


def prepare_image(image: NDArray[Any], image_size: int, scaling: Scaling = "thesis") -> NDArray[np.float32]:
    """Resize (bilinear) and scale one image, each channel separately.

    Args:
        image: Raw intensities [h, w] or [channels, h, w].
        image_size: Side of the result in pixels.
        scaling: "thesis" divides by 255 without clipping, so raw values in the thousands exceed the range [0, 1];
            "percentile" maps the channel's 1st…99th percentile to 0…1 and clips; "zscore" subtracts the channel's mean
            and divides by its standard deviation (with both, a constant channel becomes 0).

    Returns:
        float32 [image_size, image_size], or [channels, image_size, image_size].
    """
    if image.ndim == 3:
        return np.stack([prepare_image(channel, image_size, scaling) for channel in image])
    resized = _resize(image if str(image.dtype) in _RESIZABLE else image.astype(np.float64), image_size)
    if scaling == "thesis":
        return resized.astype(np.float32) / np.float32(255)
    if scaling == "zscore":
        deviation = resized.std(dtype=np.float64)
        centred = resized - resized.mean(dtype=np.float64)
        return np.asarray(centred / (deviation if resized.min() < resized.max() else np.inf), np.float32)
    low, high = np.percentile(resized, _PERCENTILES)
    span = high - low
    scaled = (resized - low) / span if span > 0 else np.zeros(resized.shape)
    return np.clip(scaled, 0, 1).astype(np.float32)


def is_scaled_twice(largest: float, scaling: Scaling) -> bool:
    """Whether images were divided by 255 that had intensities of 0…1 before.

    Args:
        largest: Largest intensity of all samples after scaling.
        scaling: The scaling. Only "thesis" divides by 255; the others suit every range of intensities.
    """
    return scaling == "thesis" and 0 < largest <= float(np.float32(1) / np.float32(255))


def prepare_mask(mask: NDArray[np.bool_], image_size: int) -> NDArray[np.bool_]:
    """Resize a mask [h, w] or [structures, h, w] by the thesis's rule: bilinear as uint8 0/1, then `> 0`.

    Interpolated values are rounded to integers, so a pixel belongs to the mask if its interpolated value is at least
    0.5.
    """
    if mask.ndim == 3:
        planes = [prepare_mask(plane, image_size) for plane in mask]
        return np.stack(planes) if planes else np.zeros((0, image_size, image_size), dtype=bool)
    return _resize(mask.astype(np.uint8), image_size) > 0


def _resize(array: NDArray[Any], image_size: int) -> NDArray[Any]:
    import cv2

    return np.asarray(cv2.resize(array, (image_size, image_size), interpolation=cv2.INTER_LINEAR))
