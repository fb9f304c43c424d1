"""The test samples that a case is scored on. It is not given them, and what it alters of them is noticed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.data.digest import Digests, mask_digest
from btlib.errors import ModelError
from btlib.splits import Split


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a case is scored on.

    Attributes:
        given: The samples as the case takes them, at its own size and scaling.
        truth: The same samples at the protocol's size and scaling.
        split: Says which of them test.
    """

    given: Dataset
    truth: Dataset
    split: Split

    def guard(self) -> "Guard":
        """Remember what is true, before foreign code runs."""
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
    """What was true of the test samples before a case ran: a case runs in this process, and may reach what it wants.

    Attributes:
        held_out: The samples.
        digests: Identity of their masks.
        masks: A copy of them, packed along the width; None where nobody can write to them.
        labels: A copy of their labels; None for a task without classes.
    """

    held_out: HeldOut
    digests: Digests
    masks: NDArray[np.uint8] | None
    labels: NDArray[np.int64] | None

    def check(self, case: str) -> None:
        """Whether everything is as it was.

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
                    f"the true {name} of test samples have changed while it ran, so its numbers are worth nothing",
                    where=f"case {case}",
                    hint="a case must not write into arrays of the data set; start the session anew",
                )

    def restore(self) -> None:
        """Put back what was true: what a case wrote there must not be what the cases after it are scored on."""
        test, truth = self.held_out.split.test, self.held_out.truth
        if self.masks is not None and not np.array_equal(np.packbits(truth.masks[test], axis=-1), self.masks):
            truth.masks[test] = np.unpackbits(self.masks, axis=-1, count=truth.image_size).astype(bool)
        if truth.labels is not None and self.labels is not None and not np.array_equal(truth.labels[test], self.labels):
            truth.labels[test] = self.labels
