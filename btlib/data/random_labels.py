"""A control: tumour types drawn at random, one for all slices of a patient.

Nobody can learn them for new patients. A model that scores above chance on them has recognised patients: its test
slices have siblings among the training slices (10.1038/s41598-021-01681-w).
"""

from dataclasses import replace

import numpy as np

from btlib import fingerprint
from btlib.data.dataset import Dataset
from btlib.data.neighbours import patient_groups
from btlib.types import N_CLASSES


def with_random_labels(dataset: Dataset, seed: int = 42) -> Dataset:
    """The same slices under random tumour types, as many patients of each as can be, and a fingerprint of their own.

    Args:
        dataset: Its patients, or where ids are unknown its blocks of neighbours of one true type, get a type each.
        seed: Of the drawing.
    """
    group = patient_groups(dataset.numbers, dataset.labels, dataset.patients)
    n = int(group.max()) + 1
    drawn = np.random.RandomState(seed).permutation(np.arange(n) % N_CLASSES)  # a stream that numpy keeps for ever
    return replace(
        dataset,
        labels=drawn[group].astype(np.int64),
        fingerprint=fingerprint.of("random labels", dataset.fingerprint, seed, group.tolist()),
    )
