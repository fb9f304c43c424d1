"""Split: positions of the training, validation and test samples."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.errors import SplitError


@dataclass(frozen=True, eq=False)
class Split:
    """Positions (0-based, int64) of the samples in a data set, in three disjoint sets.

    Attributes:
        name: One of `btlib.splits.SPLITS`, or a custom name.
        train: Training samples; not empty.
        val: Validation samples, for the choice of epoch or threshold; may be empty.
        test: Test samples, on which results are reported; not empty.
    """

    name: str
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]

    def __post_init__(self) -> None:
        for part in ("train", "val", "test"):
            object.__setattr__(self, part, self._positions(part))
            if part != "val" and len(getattr(self, part)) == 0:
                raise SplitError(f"no sample is left for {part}", where=self.name, hint="use more samples")
        together = np.concatenate([self.train, self.val, self.test])
        values, times = np.unique(together, return_counts=True)
        if (times > 1).any():
            raise SplitError(
                f"{int((times > 1).sum())} samples occur more than once, first position {values[times > 1][0]}",
                where=self.name,
                hint="each sample belongs to one of train, val and test",
            )

    def _positions(self, part: str) -> NDArray[np.int64]:
        given = np.asarray(getattr(self, part))
        if given.ndim != 1 or (len(given) and (given.dtype.kind not in "iu" or given.min() < 0)):
            raise SplitError(
                f"{part}: expected positions from 0 in one axis, got {given.dtype} {given.shape}",
                where=self.name,
                hint="give whole numbers from 0",
            )
        return given.astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the split: of its name and all positions."""
        return fingerprint.of(self.name, self.train.tolist(), self.val.tolist(), self.test.tolist())
