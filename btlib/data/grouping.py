"""Groups of samples that splits, intervals and tests must keep together."""

from collections.abc import Sequence
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from btlib.natural_order import natural

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

    Patients are numbered in natural order, whatever the order of the samples; samples without patient come last.

    Args:
        patients: Patient ids; if any is None, intervals that are drawn from the groups may be too narrow.
    """
    known = sorted({patient for patient in patients if patient is not None}, key=natural)
    place = {patient: k for k, patient in enumerate(known)}
    alone = count(len(known))
    return np.array([next(alone) if patient is None else place[patient] for patient in patients], np.int64)
