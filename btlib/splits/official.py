"""Official split of a data set, as its source states it."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import SplitError
from btlib.splits.folds import assign_folds
from btlib.splits.split import Split

NAME = "official"
_VAL_FOLDS = 10
"""Number of folds of the training samples, of which one validates if there are no official validation samples."""


def official(dataset: Dataset) -> Split:
    """Make the official split. Without validation samples, about a tenth of the training samples validates.

    The validation samples are all samples of some patients of the training set. A sample without a patient id counts as
    a patient.

    Raises:
        SplitError: The data set has no official split, or no training or test samples.
    """
    if dataset.official is None:
        raise SplitError(
            "the data have no official split",
            where=NAME,
            hint="add a column split to metadata.csv, or use patient-5fold-1",
        )
    parts = np.array(dataset.official)
    strange = sorted({*dataset.official} - {"train", "val", "test"})
    if strange:
        raise SplitError(f"expected train, val or test, got {strange[0]!r}", where=NAME)
    train, val, test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
    if not len(val) and len(train):
        validates = _validates(dataset, train)
        train, val = train[~validates], train[validates]
    return Split(NAME, train, val, test)


def _validates(dataset: Dataset, train: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each training sample validates, bool [len(train)]; none does if there is only one patient."""
    known = [dataset.patients[i] for i in train]
    groups = [f"sample {dataset.ids[i]}" if p is None else f"patient {p}" for i, p in zip(train, known, strict=True)]
    k = min(_VAL_FOLDS, len(set(groups)))
    if k < 2:
        return np.zeros(len(train), bool)
    folds = assign_folds(groups, dataset.strata[train], k)
    return np.array([folds[group] == k for group in groups])
