"""Reading of NPY files. The shape is checked in the header; only the requested slice is read."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.data.sources.table.planes import as_plain, checked_slice, require_size
from btlib.errors import DataError

_MOST_CHANNELS = 32


def read_array(path: Path, number: int | None, axis: int | None) -> NDArray[Any]:
    """Read an image as [channels, h, w].

    Args:
        path: File of an array [h, w] or [channels, h, w]; with `number`, of a volume with three axes.
        number: Number of the slice of a volume, from 0.
        axis: Axis along which slices are numbered; None is axis 0.

    Raises:
        DataError: The file is damaged or too large, contains objects, or has another number of axes.
    """
    try:
        stored = np.lib.format.open_memmap(path, mode="r")  # never unpickles objects
    except Exception as error:  # a damaged header makes NumPy raise almost anything
        raise DataError(f"cannot be read: {error}") from error
    shape = stored.shape
    if number is None:
        if len(shape) == 3 and shape[0] > _MOST_CHANNELS:
            problem = f"expected [h, w] or [channels, h, w] of at most {_MOST_CHANNELS} channels, got {shape}"
            raise DataError(problem, hint="for a volume, add a column slice; for [h, w, channels], move the last axis")
        if len(shape) not in (2, 3):
            raise DataError(f"expected [h, w] or [channels, h, w], got the shape {shape}")
        require_size(*shape)
        planes = stored[None] if len(shape) == 2 else stored
    else:
        if len(shape) != 3:
            raise DataError(f"slice: expected a volume with three axes, got the shape {shape}")
        at = axis or 0
        checked_slice(number, at, shape)
        require_size(*(side for k, side in enumerate(shape) if k != at))
        planes = np.take(stored, [number], axis=at)
        planes = np.moveaxis(planes, at, 0)
    plain = as_plain(np.array(planes))
    return plain.astype(np.uint8) * np.uint8(255) if plain.dtype == np.bool_ else np.ascontiguousarray(plain)
