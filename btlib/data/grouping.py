"""Groups of samples that splits, intervals and tests must keep together."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["patient", "sample"]
"""Unit that intervals and tests resample: patients, or samples if no patient is known."""


def unknown(patients: Sequence[str | None]) -> int:
    """Number of samples without a patient id."""
    return sum(patient is None for patient in patients)


def unit_of(patients: Sequence[str | None]) -> Unit:
    """Unit of `patient_groups`: "patient", or "sample" if no sample has a patient id."""
    return "sample" if unknown(patients) == len(patients) else "patient"


def patient_groups(patients: Sequence[str | None]) -> NDArray[np.int64]:
    """Group number of every sample, from 0, int64 [n]. A group is a patient; a sample without patient is its own group.

    Args:
        patients: Patient ids; if any is None, intervals that are drawn from the groups may be too narrow.
    """
    names = np.array(["" if patient is None else patient for patient in patients], dtype=str)
    groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    alone = np.array([patient is None for patient in patients], dtype=bool)
    groups[alone] = len(patients) + np.arange(int(alone.sum()))
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)
