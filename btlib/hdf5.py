"""HDF5 files, read without trust: only what lies in the file itself, and no more than it holds.

HDF5 lets a file point at others: by external links, external storage and virtual data sets. Such a file could show any
file of this machine as an image, so these are refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.files import DamagedFileError

ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What h5py raises on damaged files."""

_MOST = 1100
"""How many times as large as what is stored values may be: deflate, the filter in use, reaches 1032."""


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """A file that is read.

    Whatever HDF5 raises within the block, because the file is damaged, becomes a DamagedFileError.

    Raises:
        OSError: The file is not there, or may not be read.
        DamagedFileError: It is no HDF5 file, or is damaged.
    """
    files.require_regular(path)
    with path.open("rb"):
        pass  # what the system says of it, in the system's words
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (DamagedFileError, MemoryError):
        raise
    except ERRORS as error:
        raise DamagedFileError(str(error) or type(error).__name__) from error


def group(parent: h5py.Group, name: str) -> h5py.Group | None:
    """A group that lies in the file itself; None where there is none of this name.

    Raises:
        DamagedFileError: It is a link to another place.
    """
    found = _member(parent, name)
    return found if isinstance(found, h5py.Group) else None


def dataset(parent: h5py.Group, name: str) -> h5py.Dataset | None:
    """A data set whose values lie in the file itself; None where there is none of this name.

    Raises:
        DamagedFileError: Its values lie elsewhere, are no numbers, or are far more than the file stores.
    """
    found = _member(parent, name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.is_virtual or found.external:
        raise DamagedFileError("its values lie in another file, which is never read")
    if found.dtype.kind not in "biuf":
        raise DamagedFileError(f"expected a numeric dtype, got {found.dtype}")
    stored = found.id.get_storage_size()
    if found.size and found.nbytes > _MOST * max(stored, 1):
        raise DamagedFileError(f"it says it has {found.nbytes} bytes, {stored} are stored")
    return found


def texts(parent: h5py.Group, name: str) -> NDArray[np.str_] | None:
    """Texts [n] of a data set; None where there is none of this name.

    Raises:
        DamagedFileError: It is a link to another place, its values lie elsewhere, or it holds no texts in one axis.
    """
    found = _member(parent, name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.is_virtual or found.external:
        raise DamagedFileError("its values lie in another file, which is never read")
    if h5py.check_string_dtype(found.dtype) is None or found.ndim != 1:
        raise DamagedFileError(f"{name}: expected text [n], got {found.dtype} {found.shape}")
    files.require_memory(found.nbytes)
    return np.array([str(text) for text in found.asstr(errors="backslashreplace")[()]], dtype=str)


def values(found: h5py.Dataset) -> NDArray[Any]:
    """All values of a data set, in the byte order of this machine.

    Raises:
        DamagedFileError: They are more than the memory that is free.
    """
    files.require_memory(found.nbytes)
    array = np.asarray(found[()])
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _member(parent: h5py.Group, name: str) -> Any:
    link = parent.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise DamagedFileError(f"{name}: a link to another place, which is never followed")
    return parent[name]  # `get` would call what is damaged missing
