"""Safe reading of HDF5 files: only data in the file itself are read, and not more than the file stores.

An HDF5 file can refer to other files with external links, external storage and virtual data sets. Such a file could
show any file of this machine as an image, so these references are refused.
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


class WrongTypeError(DamagedFileError):
    """A data set has values of another type than expected."""


ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""Exceptions that h5py raises on damaged files."""

_MOST = 1100
"""Maximum ratio of the size of the values to their stored size. The deflate filter reaches 1032."""


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading, as a context manager.

    Exceptions that HDF5 raises within the block because of a damaged file become a DamagedFileError.

    Raises:
        OSError: The file does not exist, or there is no permission to read it.
        DamagedFileError: It is not an HDF5 file, or is damaged.
    """
    files.require_regular(path)
    with path.open("rb"):
        pass  # raises the system's own OSError if the file cannot be opened
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (DamagedFileError, MemoryError):
        raise
    except ERRORS as error:
        raise DamagedFileError(str(error) or type(error).__name__) from error


def group(parent: h5py.Group, name: str) -> h5py.Group | None:
    """Return a group that is stored in the file itself; None if there is no group of this name.

    Raises:
        DamagedFileError: It is a link to another place.
    """
    found = _member(parent, name)
    return found if isinstance(found, h5py.Group) else None


def dataset(parent: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return a data set whose values are stored in the file itself; None if there is no data set of this name.

    Raises:
        DamagedFileError: It is a link, its values are in another file, are not numbers, or are much larger than the
            stored bytes.
    """
    found = _member(parent, name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.is_virtual or found.external:
        raise DamagedFileError("its values are in another file, which is never read")
    if found.dtype.kind not in "biuf":
        raise WrongTypeError(f"expected a numeric dtype, got {found.dtype}")
    stored = found.id.get_storage_size()
    if found.size and found.nbytes > _MOST * max(stored, 1):
        raise DamagedFileError(f"its header states {found.nbytes} bytes, but only {stored} are stored")
    return found


def texts(parent: h5py.Group, name: str) -> NDArray[np.str_] | None:
    """Return the texts [n] of a data set; None if there is no data set of this name.

    Raises:
        DamagedFileError: It is a link to another place, its values are in another file, or it does not contain texts
            in one axis.
    """
    found = _member(parent, name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.is_virtual or found.external:
        raise DamagedFileError("its values are in another file, which is never read")
    if h5py.check_string_dtype(found.dtype) is None or found.ndim != 1:
        raise WrongTypeError(f"{name}: expected text [n], got {found.dtype} {found.shape}")
    files.require_memory(found.nbytes)
    return np.array([str(text) for text in found.asstr(errors="backslashreplace")[()]], dtype=str)


def values(found: h5py.Dataset) -> NDArray[Any]:
    """Return all values of a data set, in the byte order of this machine.

    Raises:
        DamagedFileError: They need more than the free memory.
    """
    files.require_memory(found.nbytes)
    array = np.asarray(found[()])
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _member(parent: h5py.Group, name: str) -> Any:
    link = parent.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise DamagedFileError(f"{name}: is a link to another place, which is never followed")
    return parent[name]  # `get` would report a damaged member as missing
