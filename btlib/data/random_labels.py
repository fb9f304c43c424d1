"""Control experiment: random classes, one class for all samples of a patient.

No model can learn them for new patients. A model that scores above chance has recognised patients: training samples and
test samples come from the same patients (doi 10.1038/s41598-021-01681-w).
"""

from dataclasses import replace

import numpy as np

from btlib.data.dataset import Dataset
from btlib.data.grouping import patient_groups, unknown
from btlib.errors import DataError
from btlib.ranges import SEED


def with_random_labels(dataset: Dataset, seed: int = 42) -> Dataset:
    """Return the same samples with random classes, with the same number of patients in each class as far as possible.

    Args:
        dataset: Data set; each of its patients gets one class.
        seed: Seed of the random draw.

    Raises:
        DataError: Patients are unknown (classes drawn per sample cannot show that a model recognises patients), or the
            task has no classes, or the seed is out of range.
    """
    SEED.require(seed, "seed of the random labels", error=DataError)
    if strange := unknown(dataset.patients):
        raise DataError(
            f"random classes are drawn per patient, but {strange} of {len(dataset)} samples have no patient id",
            where=dataset.folder,
            hint="use samples whose patients are known",
        )
    if not dataset.task.classes:
        raise DataError("the task has no classes to draw", where=dataset.task.name, hint="leave random labels out")
    group = patient_groups(dataset.patients)
    n = int(group.max()) + 1
    drawn = np.random.RandomState(seed).permutation(
        np.arange(n) % len(dataset.task.classes)
    )  # NumPy guarantees that RandomState's stream never changes
    return replace(dataset, labels=drawn[group].astype(np.int64), cohort=dataset.whole)
