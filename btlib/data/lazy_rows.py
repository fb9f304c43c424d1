"""Some rows of a large array, read when they are asked for."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

_READ_ONLY = "the samples of a data set are read-only: copy them first, np.array(…)"
_IN_PLACE = {"fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort"}
"""Methods that would write into a copy, and seem to have been done."""


class LazyRows(NDArrayOperatorsMixin):
    """Rows of an array in an order of their own; it is indexed, iterated and converted as a NumPy array.

    It cannot be written to, and what it gives are copies, so that the array behind it stays as it is. All other
    attributes and operations are those of a copy of all its rows.

    Args:
        array: NumPy array or one that is indexed alike, at least one axis.
        positions: Of the rows, int64 [n].

    Attributes:
        shape: As of a NumPy array.
        dtype: As of a NumPy array.
    """

    def __init__(self, array: Any, positions: NDArray[np.int64]) -> None:
        if isinstance(array, np.ndarray):
            array = array.view()
            array.flags.writeable = False

        def rows_at(at: NDArray[np.int64]) -> NDArray[Any]:
            return np.asarray(array[at])

        self._rows_at = rows_at  # no attribute leads to the rows of others
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
        index = np.asarray(first)  # a tensor of one position is no number
        if index.dtype == float and not index.size and not isinstance(first, np.ndarray):
            index = index.astype(np.int64)  # as NumPy takes an empty list
        if not (index.dtype.kind in "iu" or (index.dtype == bool and index.ndim == 1)):
            return np.asarray(self)[key]  # new axes, an ellipsis, a mask of pixels
        at = np.asarray(self._positions[index])
        rows = self._rows(at.reshape(-1))
        if at.ndim == 1 and not rest:
            return rows
        return rows[(np.arange(at.size).reshape(at.shape), *rest)]  # where its axes go depends on all of the key

    def _rows(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """A copy of these rows, as positions always give one."""
        return self._rows_at(positions)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with its own rows only."""
        return LazyRows, (np.asarray(self), np.arange(len(self)))

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ValueError(_READ_ONLY)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("its rows lie apart: an array of them is a copy")
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
