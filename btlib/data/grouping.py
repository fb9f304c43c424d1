"""Groups of samples that splits, intervals and tests must keep together."""

from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from btlib.natural_order import natural

Unit = str
"""Unit that intervals and tests resample: "patient", or another group of the task, or "sample" if none is known."""


def unknown(patients: Sequence[str | None]) -> int:
    """Number of samples without a patient id."""
    return sum(patient is None for patient in patients)


def unit_of(patients: Sequence[str | None], group: str = "patient") -> Unit:
    """Unit of `patient_groups`: the name of the task's group, or "sample" if no sample has a group."""
    return "sample" if unknown(patients) == len(patients) else group


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
