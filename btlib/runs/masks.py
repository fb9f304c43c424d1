"""Predicted masks of a run, packed: what pictures of single slices are drawn from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from btlib.npz import write_npz
from btlib.runs.arrays import load_arrays


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of n slices, eight pixels a byte; 612 slices of 256² take 5 MB, and on disk a tenth of it.

    Attributes:
        numbers: Of the slices, int64 [n], each once.
        packed: `np.packbits` along the width, uint8 [n, h, ⌈w/8⌉].
        width: w, in pixels.
    """

    numbers: NDArray[np.int64]
    packed: NDArray[np.uint8]
    width: int

    def of(self, number: int) -> NDArray[np.bool_] | None:
        """The mask of a slice, bool [h, w]; None where it is not among these."""
        at = np.flatnonzero(self.numbers == number)
        if not len(at):
            return None
        return np.unpackbits(self.packed[at[0]], axis=1, count=self.width).astype(bool)

    def save(self, path: Path) -> None:
        """Write them, atomically."""
        write_npz(path, {"numbers": self.numbers, "packed": self.packed, "width": np.array(self.width)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read them.

        Raises:
            RecordError: The file cannot be read, or is none of these.
        """
        kept = load_arrays(path, {"numbers": "n", "packed": "nhb", "width": ""}, "run the case again")
        return cls(kept["numbers"], kept["packed"], int(kept["width"]))
