"""Checks and conversions that all file types share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.errors import DataError

LARGEST = 2**26
"""Maximum number of pixels of an image; a file's header is compared with it before pixels are decoded."""


def require_size(*shape: int) -> None:
    """Check the size of an image that a header states, before memory is allocated for its pixels.

    Raises:
        DataError: The image has too many pixels, or none.
    """
    n = 1
    for side in shape:
        n *= int(side)
    if not 0 < n <= LARGEST:
        size = " × ".join(map(str, shape))
        raise DataError(f"expected 1…{LARGEST} pixels, the header states {size}", hint="cut or shrink the image")


def checked_slice(number: int, axis: int, shape: tuple[int, ...]) -> None:
    """Check the number of a slice and its axis against the shape of a volume.

    Raises:
        DataError: There is no such axis or slice.
    """
    if axis >= len(shape):
        raise DataError(f"axis: expected 0…{len(shape) - 1}, got {axis}")
    if number >= shape[axis]:
        raise DataError(f"slice: expected 0…{shape[axis] - 1} along axis {axis}, got {number}")


def as_plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return real numbers in the byte order of this machine; float16 becomes float32.

    Raises:
        DataError: The values are complex, or no numbers.
    """
    if values.dtype.kind not in "biuf":
        raise DataError(f"expected real numbers, got {values.dtype}")
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return np.asarray(values.astype(values.dtype.newbyteorder("="), copy=False))


def as_grey(planes: NDArray[Any]) -> NDArray[Any] | None:
    """Return [h, w] of planes [channels, h, w] that are all equal; None if they differ."""
    return planes[0] if all(np.array_equal(planes[0], plane) for plane in planes[1:]) else None
