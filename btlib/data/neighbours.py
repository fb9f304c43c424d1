"""Which slices may be of one patient: the unit that splits, intervals and tests must not tear."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["patient", "block"]
"""A patient, or where ids are unknown a block of neighbouring file numbers of one tumour type."""

BLOCK = 13
"""File numbers of a block: the dataset's median of slices a patient."""


def unit_of(patients: Sequence[str | None]) -> Unit:
    """What `patient_groups` groups by: patients where every slice has one, else blocks."""
    return "block" if any(patient is None for patient in patients) else "patient"


def patient_groups(
    numbers: NDArray[np.int64], labels: NDArray[np.int64], patients: Sequence[str | None]
) -> NDArray[np.int64]:
    """Number of the patient of every slice from 0, int64 [n]; without ids, of its block of file numbers.

    A patient may begin anywhere in a block, so blocks hold together most slices of a patient and not all: what draws
    them whole errs less than what takes slices as independent, and a little more than with ids.

    Args:
        numbers: File numbers, int64 [n].
        labels: True types, int64 [n]: a patient has one.
        patients: Ids; if any is None, none is used.
    """
    if unit_of(patients) == "patient":
        names = np.array(patients, dtype=str)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)
    blocks = np.stack([labels, (numbers - 1) // BLOCK], axis=1)
    return np.unique(blocks, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
