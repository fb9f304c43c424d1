"""Official split of a data set, as its source states it."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.data.grouping import group_names, in_several_parts
from btlib.errors import SplitError, warn
from btlib.splits.folds import assign_folds
from btlib.splits.split import Split

NAME = "official"
_NAMED = 10
"""Number of patients that a warning names."""

_VAL_FOLDS = 10
"""Number of folds of the training samples, of which one validates if there are no official validation samples."""


def official(dataset: Dataset) -> Split:
    """Make the official split. Without validation samples, about a tenth of the training samples validates.

    The validation samples are all samples of some patients of the training set. A volume without a patient id counts as
    a patient, and so does a sample without both. A warning names patients that have samples in several parts of the
    official split. If they have test samples, the results do not hold for new patients.

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
    _warn_of_cut_patients(dataset, (train, val, test))
    return Split(NAME, train, val, test)


def _warn_of_cut_patients(dataset: Dataset, parts: tuple[NDArray[np.int64], ...]) -> None:
    train, val, test = (part.tolist() for part in parts)
    tested = in_several_parts(dataset.patients, [train + val, test])
    cut = tested or in_several_parts(dataset.patients, [train, val])
    if not cut:
        return
    n, where = len({*dataset.patients} - {None}), "test samples and other samples" if tested else "train and val"
    so = "so the results do not hold for new patients" if tested else "so validation does not show new patients"
    more = "" if len(cut) <= _NAMED else f" and {len(cut) - _NAMED} more"
    text = f"{len(cut)} of {n} patients are in {where}, {so}: {', '.join(cut[:_NAMED])}{more}"
    warn(f"{NAME}: {text}", stacklevel=4)


def _validates(dataset: Dataset, train: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each training sample validates, bool [len(train)]; none does if there is only one patient."""
    whole = group_names(dataset.ids.tolist(), dataset.patients, dataset.volumes)
    groups = [whole[i] for i in train]
    k = min(_VAL_FOLDS, len(set(groups)))
    if k < 2:
        return np.zeros(len(train), bool)
    folds = assign_folds(groups, dataset.strata[train], k)
    return np.array([folds[group] == k for group in groups])
