"""Large array on disk whose bytes are verified, block by block, when a process first reads them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from btlib.errors import DataError

BLOCK = 2**22
"""Size of a block in bytes."""

_DIGITS = 16

_verified: dict[tuple[object, ...], NDArray[np.bool_]] = {}
"""Identity of a file → which of its blocks this process has verified."""

Rebuild = Callable[[Sequence[int]], None]
"""Function that writes the given rows of the file again; it raises DataError if that is impossible."""


class CheckedArray(NDArrayOperatorsMixin):
    """Memory-mapped array that never returns a value of a damaged block.

    It is indexed, iterated and converted like a NumPy array, and returns read-only NumPy arrays. All other attributes
    and operations are those of the complete array.

    Args:
        path: A `.npy` file; the array has at least one axis.
        digests: Digests of its blocks, as returned by `block_digests`.
        rebuild: Function that is called with the rows of a damaged block.

    Attributes:
        shape: Shape, as of a NumPy array.
        dtype: Dtype, as of a NumPy array.
    """

    def __init__(self, path: Path, digests: Sequence[str], rebuild: Rebuild) -> None:
        self._array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        self._path, self._digests, self._rebuild = path, digests, rebuild
        self._bytes: NDArray[np.uint8] = np.ravel(self._array, order="K").view(np.uint8)
        self.shape, self.dtype = self._array.shape, self._array.dtype
        stat = path.stat()
        identity = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        self._seen = _verified.setdefault(identity, np.zeros(len(digests), bool))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> Any:
        first = key[0] if isinstance(key, tuple) and len(key) else key
        try:
            rows = np.arange(len(self))[first]
        except (IndexError, TypeError):  # new axes, an ellipsis, a mask of pixels: verify all rows
            rows = np.arange(len(self))
        self._verify(np.unique(rows))
        return self._array[key]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        self._verify(np.arange(len(self)))
        if copy is False and dtype not in (None, self.dtype):
            raise ValueError("another dtype needs a copy")
        return np.array(self._array, dtype=dtype) if copy or dtype not in (None, self.dtype) else self._array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(one, CheckedArray) for one in options.get("out", ())):
            raise ValueError("cached samples are read-only: copy them first, np.array(…)")
        plain = {name: _plain(value) for name, value in options.items()}
        return getattr(ufunc, method)(*map(_plain, inputs), **plain)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    @property
    def is_plain(self) -> bool:
        """Whether the file stores the values in C order and contains nothing after them."""
        whole = self._path.stat().st_size == self._array.offset + self.nbytes  # type: ignore[attr-defined]  # a memmap
        return bool(self._array.flags.c_contiguous) and whole

    @property
    def size(self) -> int:
        """Number of values."""
        return self._array.size

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return self._array.nbytes

    def _verify(self, rows: NDArray[np.int64]) -> None:
        if self._seen.all() or not len(rows):
            return
        row = self.nbytes // len(self)
        first, last = rows * row // BLOCK, ((rows + 1) * row - 1) // BLOCK
        spans = [np.arange(a, b + 1) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        for block in np.unique(np.concatenate(spans)):
            if not self._seen[block]:
                self._look_at(int(block))
                self._seen[block] = True

    def _look_at(self, block: int) -> None:
        if self._is_intact(block):
            return
        row = self.nbytes // len(self)
        rows = range(block * BLOCK // row, min(len(self), -(-(block + 1) * BLOCK // row)))
        self._rebuild(rows)
        if not self._is_intact(block):
            raise DataError(
                f"cached samples {rows.start + 1} to {rows.stop} are damaged, and rebuilding gave different pixels",
                where=self._path,
                hint=f"remove {self._path.parent} (btlib rebuilds it); if this happens again, test disk and memory",
            )

    def _is_intact(self, block: int) -> bool:
        return _digest(self._bytes[block * BLOCK : (block + 1) * BLOCK]) == self._digests[block]


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, CheckedArray) else value


def block_digests(path: Path) -> list[str]:
    """Digest of each block of a `.npy` file's values: the first 16 hex digits of its SHA-256."""
    values = np.load(path, mmap_mode="r", allow_pickle=False).reshape(-1).view(np.uint8)
    return [_digest(values[start : start + BLOCK]) for start in range(0, len(values), BLOCK)]


def _digest(block: NDArray[np.uint8]) -> str:
    return hashlib.sha256(block.data).hexdigest()[:_DIGITS]
