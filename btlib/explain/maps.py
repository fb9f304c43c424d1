"""Stored occlusion maps of a case: `explain/<case>.npz`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from btlib.arrays import load_arrays
from btlib.npz import write_npz

_SHAPES = {"ids": "n", "label": "n", "base": "n", "total": "nhw", "average": "nhw", "identity": ""}
_OLDER = {"number": "n", **{name: shape for name, shape in _SHAPES.items() if name != "ids"}}


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of n samples.

    Attributes:
        ids: Ids of the samples, text [n].
        label: Explained classes, int64 [n].
        base: Probabilities of these classes on the unchanged samples, float64 [n].
        total: The thesis's maps, float32 [n, h, w].
        average: Average maps, float32 [n, h, w]; NaN for pixels under no patch.
        identity: Identity as in `Explained`; empty for None.
    """

    ids: NDArray[np.str_]
    label: NDArray[np.int64]
    base: NDArray[np.float64]
    total: NDArray[np.float32]
    average: NDArray[np.float32]
    identity: str = ""

    def save(self, path: Path) -> None:
        """Write the `.npz` file atomically."""
        write_npz(path, vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the `.npz` file.

        Raises:
            RecordError: The file cannot be read, or its arrays are not as expected.
        """
        found = load_arrays(path, [_SHAPES, _OLDER], "explain the case again")
        if "number" in found:
            found["ids"] = found.pop("number").astype(str)
        return cls(**found | {"identity": str(found["identity"])})  # type: ignore[arg-type]  # one is no array
