"""The occlusion maps of a run's case: `explain/<case>.npz`."""

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
    """The maps of n samples.

    Attributes:
        ids: Of the samples, text [n].
        label: The explained classes, int64 [n].
        base: Probabilities of them on the samples as they are, float64 [n].
        total: The thesis's maps, float32 [n, h, w].
        average: The average maps, float32 [n, h, w]; NaN where no patch lies.
        identity: As in `Explained`; empty for None.
    """

    ids: NDArray[np.str_]
    label: NDArray[np.int64]
    base: NDArray[np.float64]
    total: NDArray[np.float32]
    average: NDArray[np.float32]
    identity: str = ""

    def save(self, path: Path) -> None:
        """Write the `.npz`, atomically."""
        write_npz(path, vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it.

        Raises:
            RecordError: The file cannot be read, or does not hold what it should.
        """
        found = load_arrays(path, [_SHAPES, _OLDER], "explain the case again")
        if "number" in found:
            found["ids"] = found.pop("number").astype(str)
        return cls(**found | {"identity": str(found["identity"])})  # type: ignore[arg-type]  # one is no array
