"""The occlusion maps of a run's case: `explain/<case>.npz`."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.errors import RecordError


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps of n slices.

    Attributes:
        number: Of the slices' files, int64 [n].
        label: The explained types, int64 [n].
        base: Probabilities of them on the slices as they are, float64 [n].
        total: The thesis's maps, float32 [n, h, w].
        average: The average maps, float32 [n, h, w]; NaN where no patch lies.
        identity: As in `Explained`; empty for None.
    """

    number: NDArray[np.int64]
    label: NDArray[np.int64]
    base: NDArray[np.float64]
    total: NDArray[np.float32]
    average: NDArray[np.float32]
    identity: str = ""

    def save(self, path: Path) -> None:
        """Write the `.npz`, atomically."""
        with files.atomic_path(path) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it.

        Raises:
            RecordError: The file cannot be read, or does not hold what it should.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                maps = cls(
                    **{name: found[name] for name in cls.__dataclass_fields__ if name != "identity"},
                    identity=str(found["identity"]),
                )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RecordError(f"cannot be read: {error}", where=path, mend="explain the case again") from error
        n = len(maps.number)
        if not (maps.total.shape == maps.average.shape and {len(maps.label), len(maps.base), len(maps.total)} == {n}):
            raise RecordError(f"its arrays are not of {n} slices", where=path, mend="explain the case again")
        return maps
