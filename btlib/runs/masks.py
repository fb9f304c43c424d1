"""Predicted masks of a run in packed form, for pictures of single samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from btlib.arrays import load_arrays
from btlib.npz import write_npz

_SHAPES = {"ids": "n", "packed": "nkhb", "width": ""}
_OLDER = {"numbers": "n", "packed": "nhb", "width": ""}


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of n samples, with eight pixels per byte. 612 masks of 256² pixels take 5 MB, and a tenth of it on disk.

    Attributes:
        ids: Unique ids of the samples, text [n].
        packed: Masks packed by `np.packbits` along the width, uint8 [n, structures, h, ⌈w/8⌉].
        width: Width w in pixels.
    """

    ids: NDArray[np.str_]
    packed: NDArray[np.uint8]
    width: int

    @classmethod
    def together(cls, parts: "Sequence[Masks]") -> "Masks":
        """Join masks of different samples with the same width, such as those of several folds."""
        first = parts[0]
        if len(parts) == 1:
            return first
        return cls(
            np.concatenate([part.ids for part in parts]), np.concatenate([part.packed for part in parts]), first.width
        )

    def of(self, name: str) -> NDArray[np.bool_] | None:
        """Return the masks of a sample by its id, bool [structures, h, w]; None if the id is unknown."""
        at = np.flatnonzero(self.ids == name)
        if not len(at):
            return None
        return np.unpackbits(self.packed[at[0]], axis=2, count=self.width).astype(bool)

    def save(self, path: Path) -> None:
        """Write the masks to a file, atomically."""
        write_npz(path, {"ids": self.ids, "packed": self.packed, "width": np.array(self.width)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read masks from a file.

        Raises:
            RecordError: The file cannot be read, or does not contain masks in this form.
        """
        found = load_arrays(path, [_SHAPES, _OLDER], "run the case again")
        if "numbers" in found:
            return cls(found["numbers"].astype(str), found["packed"][:, None], int(found["width"]))
        return cls(found["ids"], found["packed"], int(found["width"]))
