"""Groups of samples that splits, intervals and tests must keep together."""

from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from btlib.natural_order import natural

Unit = str
"""Unit that intervals and tests resample: "patient" or another group of the task; without groups "volume" or "sample".
"""


def unknown(patients: Sequence[str | None]) -> int:
    """Number of samples without a patient id."""
    return sum(patient is None for patient in patients)


def unit_of(patients: Sequence[str | None], group: str = "patient", volumes: Sequence[str] | None = None) -> Unit:
    """Unit of `patient_groups`: the task's group; if no sample has one, "volume", or "sample" without volumes."""
    if unknown(patients) < len(patients):
        return group
    return "sample" if volumes is None else "volume"


def patient_groups(patients: Sequence[str | None], volumes: Sequence[str] | None = None) -> NDArray[np.int64]:
    """Group number of every sample, from 0, int64 [n].

    A group is a patient. Samples without patient are grouped by volume; without volume, each is its own group.
    Patients are numbered in natural order, whatever the order of the samples; samples without patient come last.

    Args:
        patients: Patient ids; if any is None, intervals that are drawn from the groups may be too narrow.
        volumes: Volumes of the samples; None if they belong to no volumes.
    """
    known = sorted({patient for patient in patients if patient is not None}, key=natural)
    place = {patient: k for k, patient in enumerate(known)}
    later = count(len(known))
    of_volume: dict[str, int] = {}

    def group(i: int, patient: str | None) -> int:
        if patient is not None:
            return place[patient]
        if volumes is None:
            return next(later)
        if volumes[i] not in of_volume:
            of_volume[volumes[i]] = next(later)
        return of_volume[volumes[i]]

    return np.array([group(i, patient) for i, patient in enumerate(patients)], np.int64)


def group_names(ids: Sequence[str], patients: Sequence[str | None], volumes: Sequence[str] | None = None) -> list[str]:
    """Name of the group of every sample that a split must not cut: its patient, else its volume, else the sample."""
    found = []
    for i, patient in enumerate(patients):
        if patient is not None:
            found.append(f"patient {patient}")
        else:
            found.append(f"sample {ids[i]}" if volumes is None else f"volume {volumes[i]}")
    return found


def in_several_parts(names: Sequence[str | None], parts: Sequence[Sequence[int]]) -> list[str]:
    """Return the names, such as patients or volumes, that have samples in more than one part, in natural order.

    Args:
        names: Name of each sample; None is not compared.
        parts: Positions of the samples of each part.
    """
    sets = [{name for i in part if (name := names[i]) is not None} for part in parts]
    return sorted({name for k, one in enumerate(sets) for other in sets[:k] for name in one & other}, key=natural)
