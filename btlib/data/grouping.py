"""Which samples belong together: the unit that splits, intervals and tests must keep whole."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["patient", "sample"]
"""What intervals and tests draw: patients, or samples where no patient is known."""


def unknown(patients: Sequence[str | None]) -> int:
    """How many samples have no patient id."""
    return sum(patient is None for patient in patients)


def unit_of(patients: Sequence[str | None]) -> Unit:
    """What `patient_groups` groups by: patients, or samples where no sample has one."""
    return "sample" if unknown(patients) == len(patients) else "patient"


def patient_groups(patients: Sequence[str | None]) -> NDArray[np.int64]:
    """Number of the patient of every sample from 0, int64 [n]; a sample without patient is a group by itself.

    Args:
        patients: Ids; where any is None, what is drawn from the groups may be too narrow.
    """
    names = np.array(["" if patient is None else patient for patient in patients], dtype=str)
    groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    alone = np.array([patient is None for patient in patients], dtype=bool)
    groups[alone] = len(patients) + np.arange(int(alone.sum()))
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)
