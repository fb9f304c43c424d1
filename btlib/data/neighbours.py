"""Which slices may be of one patient where patient ids are unknown."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RUN = 13
"""File numbers in a row that stand in for a patient: the dataset's median."""


def patient_groups(
    numbers: NDArray[np.int64], labels: NDArray[np.int64], patients: Sequence[str | None]
) -> NDArray[np.int64]:
    """Number of the patient of every slice from 0, int64 [n]; without ids, of its run of file numbers and tumour type.

    Args:
        numbers: File numbers, int64 [n].
        labels: True types, int64 [n]: a patient has one.
        patients: Ids; if any is None, none is used.
    """
    if all(patient is not None for patient in patients):
        names = np.array(patients, dtype=str)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)
    runs = np.stack([labels, (numbers - 1) // RUN], axis=1)
    return np.unique(runs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
