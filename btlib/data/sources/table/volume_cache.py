"""Cache of decompressed volumes, because a slice of a compressed file can be read only by decompressing the file."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST = 2**28
"""Maximum size of the cache of a process in bytes: a CT volume of 300 slices and its mask."""

_Key = tuple[str, int, int]
_cached: OrderedDict[_Key, NDArray[Any]] = OrderedDict()


def stored_slice(path: Path, image: Any, key: tuple[int | slice, ...]) -> NDArray[Any]:
    """Return a slice of a NIfTI image, with the file's scaling applied.

    Args:
        path: File of the image.
        image: Image that nibabel opened.
        key: Index of the slice.
    """
    proxy = image.dataobj
    size = int(np.prod(proxy.shape, dtype=np.float64)) * proxy.dtype.itemsize
    if path.suffix.lower() != ".gz" or size > _LARGEST:
        return np.asanyarray(proxy[key])
    from nibabel.volumeutils import apply_read_scaling

    values = _stored(path, proxy, size)[key]
    return np.asanyarray(apply_read_scaling(values, np.asanyarray(proxy.slope), np.asanyarray(proxy.inter)))


def _stored(path: Path, proxy: Any, size: int) -> NDArray[Any]:
    """Return the stored values of a volume; the volumes that were read last stay in memory."""
    stat = path.stat()
    key = str(path), stat.st_mtime_ns, stat.st_size
    if key not in _cached:
        while _cached and sum(values.nbytes for values in _cached.values()) + size > _LARGEST:
            _cached.popitem(last=False)
        _cached[key] = proxy.get_unscaled()
    _cached.move_to_end(key)
    return _cached[key]
