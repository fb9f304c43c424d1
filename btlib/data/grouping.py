"""Which slices belong together: the unit that splits, intervals and tests must keep whole."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["patient", "slice"]
"""What intervals and tests draw: patients, or slices where patients are unknown."""


def unit_of(patients: Sequence[str | None]) -> Unit:
    """What `patient_groups` groups by: patients where every slice has one, else slices."""
    return "slice" if any(patient is None for patient in patients) else "patient"


def patient_groups(patients: Sequence[str | None]) -> NDArray[np.int64]:
    """Number of the patient of every slice from 0, int64 [n]; where any is unknown, of the slice itself.

    Args:
        patients: Ids; if any is None, none is used, and what is drawn from the groups is too narrow.
    """
    if unit_of(patients) == "slice":
        return np.arange(len(patients), dtype=np.int64)
    return np.unique(np.array(patients, dtype=str), return_inverse=True)[1].astype(np.int64)
