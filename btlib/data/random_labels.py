"""A control: tumour types drawn at random, one for all slices of a patient.

Nobody can learn them for new patients. A model that scores above chance on them has recognised patients: its test
slices have siblings among the training slices (10.1038/s41598-021-01681-w).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.dataset import Dataset
from btlib.types import N_CLASSES

RUN = 13
"""Neighbouring slices of one tumour type that stand in for a patient where ids are unknown: the median of a patient."""


def with_random_labels(dataset: Dataset, seed: int = 42) -> Dataset:
    """The same slices under random tumour types, as many patients of each as can be, and a fingerprint of their own.

    Args:
        dataset: Its patients, or where one has no id, runs of `RUN` neighbours of one true type, get a type each.
        seed: Of the drawing.
    """
    group = groups(dataset)
    n = int(group.max()) + 1
    drawn = np.random.RandomState(seed).permutation(np.arange(n) % N_CLASSES)  # a stream that numpy keeps for ever
    return replace(
        dataset,
        labels=drawn[group].astype(np.int64),
        fingerprint=fingerprint.of("random labels", dataset.fingerprint, seed, group.tolist()),
    )


def groups(dataset: Dataset) -> NDArray[np.int64]:
    """Number of the patient of every slice, int64 [n] from 0, or of its run of neighbours where ids are unknown."""
    if all(patient is not None for patient in dataset.patients):
        return np.unique(np.array(dataset.patients, dtype=str), return_inverse=True)[1].astype(np.int64)
    found, start = np.zeros(len(dataset), dtype=np.int64), 0
    for label in range(N_CLASSES):
        members = np.flatnonzero(dataset.labels == label)
        found[members] = start + np.arange(len(members)) // RUN
        start += -(-len(members) // RUN)
    return found
