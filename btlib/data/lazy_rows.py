"""Selected rows of a large array, read on demand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

_READ_ONLY = "the samples of a data set are read-only: copy them first, np.array(…)"
_IN_PLACE = {"fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort"}
"""Methods that would change a copy only, and would seem to have worked."""


class LazyRows(NDArrayOperatorsMixin):
    """Selected rows of an array in a given order. They are indexed, iterated and converted like a NumPy array.

    The rows are read-only, and every result is a copy, so that the underlying array does not change. All other
    attributes and operations are those of a copy of all selected rows.

    Args:
        array: NumPy array, or an array-like object with the same indexing; at least one axis.
        positions: Positions of the rows, int64 [n].

    Attributes:
        shape: Shape, as of a NumPy array.
        dtype: Dtype, as of a NumPy array.
    """

    def __init__(self, array: Any, positions: NDArray[np.int64]) -> None:
        if isinstance(array, np.ndarray):
            array = array.view()
            array.flags.writeable = False

        def rows_at(at: NDArray[np.int64]) -> NDArray[Any]:
            return np.asarray(array[at])

        self._rows_at = rows_at  # a closure: no attribute gives access to other rows
        self._positions = positions
        self.shape: tuple[int, ...] = (len(positions), *array.shape[1:])
        self.dtype: np.dtype[Any] = array.dtype

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, key: Any) -> Any:
        first, *rest = (key or (Ellipsis,)) if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            rows = self._rows(self._positions[first])
            return rows[:, *rest] if rest else rows
        index = np.asarray(first)  # also converts a tensor with one position
        if index.dtype == float and not index.size and not isinstance(first, np.ndarray):
            index = index.astype(np.int64)  # NumPy treats an empty list the same way
        if not (index.dtype.kind in "iu" or (index.dtype == bool and index.ndim == 1)):
            return np.asarray(self)[key]  # new axes, an ellipsis, a mask of pixels
        at = np.asarray(self._positions[index])
        rows = self._rows(at.reshape(-1))
        if at.ndim == 1 and not rest:
            return rows
        return rows[(np.arange(at.size).reshape(at.shape), *rest)]  # the order of the axes depends on the complete key

    def _rows(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return a copy of these rows: indexing by positions always copies."""
        return self._rows_at(positions)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the selected rows only."""
        return LazyRows, (np.asarray(self), np.arange(len(self)))

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ValueError(_READ_ONLY)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the rows are not contiguous: a copy is needed")
        return np.asarray(self._rows(self._positions), dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        written = inputs[:1] if method == "at" else options.get("out", ())
        if any(isinstance(one, LazyRows) for one in written):
            raise ValueError(_READ_ONLY)
        plain = {name: _plain(value) for name, value in options.items()}
        return getattr(ufunc, method)(*map(_plain, inputs), **plain)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _IN_PLACE:
            raise AttributeError(f"{name}: {_READ_ONLY}")
        return getattr(np.asarray(self), name)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return self.size * self.dtype.itemsize


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, LazyRows) else value
