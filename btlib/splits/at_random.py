"""Random folds, for samples that are independent of each other."""

from hashlib import sha256

import numpy as np

from btlib.data.dataset import Dataset
from btlib.data.grouping import group_names, unknown
from btlib.errors import SplitError
from btlib.splits.by_patient import FOLDS, UNKNOWN, from_folds
from btlib.splits.folds import assign_folds
from btlib.splits.split import Split

_SEED = 42


def random_folds(dataset: Dataset, k: int = FOLDS, *, fold: int) -> Split:
    """Make split `fold` of k random, stratified folds: fold `fold` is the test set, the next one validates.

    Samples are ordered by a hash of their ids, and then assigned to the folds by `btlib.splits.folds`, so that each
    fold has the same share of each class. The samples of a patient, or of a volume without patient, stay together. The
    result depends neither on the order of the samples nor on the version of a library.

    Args:
        dataset: Data set whose samples without patient are stated to be independent, by the task or by the user.
        k: Number of folds, at least 3.
        fold: Number of the test fold, 1…k.

    Raises:
        SplitError: Samples without patient are not stated to be independent, there are fewer than k samples, volumes or
            patients, or the fold is outside 1…k.
    """
    name = f"random-{k}fold-{fold}"
    strange = unknown(dataset.patients)
    if strange and not (dataset.independent or dataset.task.independent):
        raise SplitError(
            f"{strange} of {len(dataset)} samples have no patient id, and the task does not state that they are "
            "independent of each other",
            where=name,
            hint=UNKNOWN,
        )
    groups = group_names(dataset.ids.tolist(), dataset.patients, dataset.volumes)
    if (n := len(set(groups))) < k:
        what = "samples, volumes or patients"
        raise SplitError(f"expected at least {k} {what}, got {n}", where=name, hint="use more samples")
    shuffled = [sha256(f"{_SEED} {group}".encode()).hexdigest() for group in groups]
    folds = assign_folds(shuffled, dataset.strata, k)
    return from_folds(name, np.array([folds[group] for group in shuffled]), fold, k)
