"""A large array on disk whose bytes are looked at, block by block, when they are first read in a process."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from btlib.errors import DataError

BLOCK = 2**22
"""Bytes of a block."""

_DIGITS = 16

_verified: dict[tuple[object, ...], NDArray[np.bool_]] = {}
"""Identity of a file → which of its blocks were looked at by this process."""

Rebuild = Callable[[Sequence[int]], None]
"""Writes these rows of the file anew; raises DataError where that cannot be done."""


class CheckedArray(NDArrayOperatorsMixin):
    """A memory-mapped array that never gives a value of a damaged block.

    It is indexed, iterated and converted as a NumPy array, and gives NumPy arrays, which are read-only. All other
    attributes and operations are those of the whole array.

    Args:
        path: A `.npy` file, at least one axis.
        digests: Of its blocks, as `block_digests` gave them.
        rebuild: Called with the rows of a damaged block.

    Attributes:
        shape: As of a NumPy array.
        dtype: As of a NumPy array.
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
        except (IndexError, TypeError):  # new axes, an ellipsis, a mask of pixels: whatever it is, all is looked at
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
        """Whether the file holds the values one after the other, the last axis first, and nothing behind them."""
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
                f"cached samples {rows.start + 1} to {rows.stop} are damaged, and making them anew gave others",
                where=self._path,
                hint=f"remove {self._path.parent}; it is made anew. If this comes again, test the disk and the memory",
            )

    def _is_intact(self, block: int) -> bool:
        return _digest(self._bytes[block * BLOCK : (block + 1) * BLOCK]) == self._digests[block]


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, CheckedArray) else value


def block_digests(path: Path) -> list[str]:
    """16 hex digits of the SHA-256 of each block of a `.npy` file's values."""
    values = np.load(path, mmap_mode="r", allow_pickle=False).reshape(-1).view(np.uint8)
    return [_digest(values[start : start + BLOCK]) for start in range(0, len(values), BLOCK)]


def _digest(block: NDArray[np.uint8]) -> str:
    return hashlib.sha256(block.data).hexdigest()[:_DIGITS]
