"""Test samples of a case. The case does not receive them, and a change of their masks or labels is detected."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.data.digest import Digests, mask_digest
from btlib.errors import ModelError
from btlib.splits import Split


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Samples on which a case is scored.

    Attributes:
        given: Samples at the size and scaling of the case.
        truth: The same samples at the protocol's size and scaling.
        split: Split that contains the positions of the test samples.
    """

    given: Dataset
    truth: Dataset
    split: Split

    def guard(self) -> "Guard":
        """Copy the true masks and labels of the test samples before the code of a case runs."""
        test, truth = self.split.test, self.truth
        masks = truth.masks
        writable = isinstance(masks, np.ndarray) and masks.flags.writeable
        return Guard(
            self,
            truth.truth_digests[test].copy(),
            np.packbits(masks[test], axis=-1) if writable else None,
            None if truth.labels is None else truth.labels[test].copy(),
        )


@dataclass(frozen=True, eq=False)
class Guard:
    """Copy of the true masks and labels of the test samples. A case runs in this process and could change them.

    Attributes:
        held_out: Test samples.
        digests: Digests of the true masks.
        masks: Copy of the true masks, packed along the width; None if the masks are read-only.
        labels: Copy of the true labels; None for a task without classes.
    """

    held_out: HeldOut
    digests: Digests
    masks: NDArray[np.uint8] | None
    labels: NDArray[np.int64] | None

    def check(self, case: str) -> None:
        """Check that the true masks and labels are unchanged.

        Raises:
            ModelError: A true mask or label has changed.
        """
        test, truth = self.held_out.split.test, self.held_out.truth
        now = np.array([mask_digest(mask) for mask in truth.masks[test]], dtype=np.uint64)
        for name, same in {
            "masks": np.array_equal(now, self.digests),
            "labels": truth.labels is None or (truth.labels[test] == self.labels).all(),
        }.items():
            if not same:
                raise ModelError(
                    f"the true {name} of test samples changed while the case ran, so its numbers are invalid",
                    where=f"case {case}",
                    hint="a case must not write into arrays of the data set; start the session again",
                )

    def restore(self) -> None:
        """Restore the true masks and labels, so that changes by one case do not affect the scores of later cases."""
        test, truth = self.held_out.split.test, self.held_out.truth
        if self.masks is not None and not np.array_equal(np.packbits(truth.masks[test], axis=-1), self.masks):
            truth.masks[test] = np.unpackbits(self.masks, axis=-1, count=truth.image_size).astype(bool)
        if truth.labels is not None and self.labels is not None and not np.array_equal(truth.labels[test], self.labels):
            truth.labels[test] = self.labels
