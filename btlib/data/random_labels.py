"""A control: classes drawn at random, one for all samples of a patient.

Nobody can learn them for new patients. A model that scores above chance on them has recognised patients: its test
samples have siblings among the training samples (10.1038/s41598-021-01681-w).
"""

from dataclasses import replace

import numpy as np

from btlib.data.dataset import Dataset
from btlib.data.grouping import patient_groups, unknown
from btlib.errors import DataError


def with_random_labels(dataset: Dataset, seed: int = 42) -> Dataset:
    """The same samples under random classes, as many patients of each as can be.

    Args:
        dataset: Each of its patients gets a class.
        seed: Of the drawing.

    Raises:
        DataError: Patients are unknown: what is drawn by sample cannot show that patients are recognised.
    """
    if strange := unknown(dataset.patients):
        raise DataError(
            f"random classes are drawn by patient, and {strange} of {len(dataset)} samples have no patient id",
            where=dataset.folder,
            hint="use samples whose patients are known",
        )
    if not dataset.task.classes:
        raise DataError("the task has no classes to draw", where=dataset.task.name, hint="leave random labels out")
    group = patient_groups(dataset.patients)
    n = int(group.max()) + 1
    drawn = np.random.RandomState(seed).permutation(
        np.arange(n) % len(dataset.task.classes)
    )  # a stream that numpy keeps for ever
    return replace(dataset, labels=drawn[group].astype(np.int64), cohort=dataset.whole)
