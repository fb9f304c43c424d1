"""True masks on the grid of the source, with the size of a pixel, for distances in millimetres.

The masks of a data set are resized to a square, so that a pixel of theirs has no size in millimetres that fits both
axes. Samples whose spacing is known are therefore stored a second time: packed, compressed, in one file, from which one
mask is read at a time. Nothing is stored for samples without known spacing.
"""

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from btlib.data.digest import combined, mask_digest
from btlib.errors import warn

FILE = "originals.bin"
Spacing = tuple[float, float]

_INDEX = np.dtype(
    [("h", ">u4"), ("w", ">u4"), ("y", ">f8"), ("x", ">f8"), ("start", ">u8"), ("bytes", ">u4"), ("digest", ">u8")]
)


@dataclass(frozen=True, eq=False)
class Original:
    """Truth of a sample as its source has it.

    Attributes:
        mask: True masks, bool [structures, h, w].
        spacing: Size of a pixel in mm, height and width.
    """

    mask: NDArray[np.bool_]
    spacing: Spacing


@dataclass(frozen=True)
class Packed:
    """An `Original` as it is stored.

    Attributes:
        size: Height and width of the mask in pixels.
        spacing: Size of a pixel in mm, height and width.
        data: Compressed pixels.
        digest: Digest of the mask.
    """

    size: tuple[int, int]
    spacing: Spacing
    data: bytes
    digest: int


def pack(mask: NDArray[np.bool_], spacing: Spacing | None) -> Packed | None:
    """Compress the masks [structures, h, w] of a sample; None if its spacing is unknown, or if it has no structures."""
    if spacing is None or not len(mask):
        return None
    h, w = mask.shape[1:]
    return Packed((h, w), spacing, zlib.compress(np.packbits(mask).tobytes(), 1), mask_digest(mask))


class OriginalsWriter:
    """Writer of the file. It is created with the first sample whose spacing is known.

    Args:
        place: Folder of the file.
    """

    def __init__(self, place: Path) -> None:
        self._path = place / FILE
        self._file: BinaryIO | None = None
        self._index: list[bytes] = []

    def add(self, packed: Packed | None) -> None:
        """Append the next sample; None for a sample without known spacing."""
        if packed is None:
            self._index.append(np.zeros((), _INDEX).tobytes())
            return
        if self._file is None:
            self._file = self._path.open("wb")
        row = (*packed.size, *packed.spacing, self._file.tell(), len(packed.data), packed.digest)
        self._file.write(packed.data)
        self._index.append(np.array(row, _INDEX).tobytes())

    @property
    def index(self) -> bytes | None:
        """Index of the file; None if there is no file."""
        return None if self._file is None else b"".join(self._index)

    def close(self) -> None:
        """Flush the file to disk and close it."""
        if self._file is not None and not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


@dataclass(frozen=True, eq=False)
class Originals:
    """Original masks of n samples. They are read from a file, one at a time.

    Attributes:
        path: File of the masks.
        index: Size, spacing and place of each sample, a structured array [n]; "bytes" is 0 without known spacing.
        structures: Number of structures.
        rows: Position of each sample in the source, int64 [n].
        again: Function that reads the mask of a sample from its source again, by its position there.
    """

    path: Path
    index: NDArray[np.void]
    structures: int
    rows: NDArray[np.int64]
    again: Callable[[int], NDArray[np.bool_]]

    @classmethod
    def open(cls, path: Path, index: bytes, structures: int, again: Callable[[int], NDArray[np.bool_]]) -> "Originals":
        """Open a file with the index that its writer returned.

        Raises:
            ValueError: The index is damaged.
        """
        rows = np.frombuffer(index, _INDEX)
        return cls(path, rows, structures, np.arange(len(rows)), again)

    def __len__(self) -> int:
        return len(self.index)

    def subset(self, at: NDArray[np.int64]) -> "Originals":
        """Return the originals at these positions."""
        return replace(self, index=self.index[at], rows=self.rows[at])

    def read(self, i: int) -> Original | None:
        """Read the original of a sample; None if its spacing is unknown. A damaged mask is read from the source again.

        Raises:
            DataError: The mask is damaged, and the source cannot be read.
        """
        row = self.index[i]
        if not row["bytes"]:
            return None
        mask = self._stored(row)
        if mask is None:
            warn(f"{self.path}: a stored mask is damaged; reading it from the source again", stacklevel=2)
            mask = self.again(int(self.rows[i]))
        return Original(mask, (float(row["y"]), float(row["x"])))

    @property
    def known(self) -> int:
        """Number of samples with known spacing."""
        return int(np.count_nonzero(self.index["bytes"]))

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the sizes and spacings. Distances in mm of other sizes or spacings are not comparable."""
        return combined(*(self.index[name] for name in ("h", "w", "y", "x")))

    def _stored(self, row: np.void) -> NDArray[np.bool_] | None:
        """Return the stored mask; None if it is damaged."""
        shape = (self.structures, int(row["h"]), int(row["w"]))
        try:
            with self.path.open("rb") as file:
                file.seek(int(row["start"]))
                packed = np.frombuffer(zlib.decompress(file.read(int(row["bytes"]))), np.uint8)
            mask = np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).astype(bool)
        except (OSError, zlib.error, ValueError):
            return None
        return mask if mask_digest(mask) == row["digest"] else None
