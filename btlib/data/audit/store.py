"""Thumbnails and descriptors of all samples in files, so that an audit of many samples needs little memory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.data.audit.thumbnail import FRAMES, LENGTH, SIDE

_PACKED = SIDE * SIDE // 8


class Store:
    """Files with one row for each sample. Workers write rows; the audit reads them.

    Args:
        folder: Folder of the files.
        n: Number of samples.
        structures: Number of masks of a sample.
    """

    def __init__(self, folder: Path, n: int, structures: int) -> None:
        self._folder, self._n = folder, n
        self._opened: dict[str, NDArray[Any]] = {}
        self._kinds: Mapping[str, tuple[Any, tuple[int, ...]]] = {
            "images": (np.uint8, (SIDE, SIDE)),
            "masks": (np.uint8, (structures, _PACKED)),
            "descriptors": (np.float32, (len(FRAMES), LENGTH)),
        }

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the opened files: a worker only writes."""
        return self.__dict__ | {"_opened": {}}

    def create(self) -> None:
        """Create the files; a row that is never written contains zeros."""
        for name, (kind, shape) in self._kinds.items():
            with (self._folder / name).open("wb") as file:
                file.truncate(self._n * int(np.prod(shape)) * np.dtype(kind).itemsize)

    def write(self, i: int, name: str, values: NDArray[Any]) -> None:
        """Write the row of sample i; several processes may do so at once, each for other samples."""
        with (self._folder / name).open("r+b") as file:
            file.seek((i - self._n) * values.nbytes, os.SEEK_END)
            file.write(np.ascontiguousarray(values).data)

    def rows(self, name: str) -> NDArray[Any]:
        """Return the rows of a file, memory-mapped and read-only."""
        if name not in self._opened:
            kind, shape = self._kinds[name]
            size = (self._n, *shape)
            empty = not np.prod(size)
            self._opened[name] = (
                np.zeros(size, kind) if empty else np.memmap(self._folder / name, kind, "r", shape=size)
            )
        return self._opened[name]

    def image(self, i: int) -> NDArray[np.float32]:
        """Return the thumbnail of sample i, float32 [SIDE, SIDE], 0…1."""
        return np.asarray(self.rows("images")[i], np.float32) / np.float32(255)

    def mask(self, i: int, structure: int) -> NDArray[np.bool_]:
        """Return the mask of a structure of sample i, bool [SIDE, SIDE]."""
        return np.unpackbits(self.rows("masks")[i, structure]).reshape(SIDE, SIDE).astype(bool)
