"""A split by its name."""

import warnings

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import BtlibWarning, SplitError
from btlib.registry import unknown_name
from btlib.splits.by_patient import FOLDS, cvind_folds, patient_folds
from btlib.splits.by_slice import slice_seed42
from btlib.splits.split import Split

SPLIT_NAMES = (
    "slice-seed42",
    *(f"patient-{FOLDS}fold-{k}" for k in range(1, FOLDS + 1)),
    *(f"cvind-{k}" for k in range(1, FOLDS + 1)),
)
"""All splits that `make_split` knows."""


def require_split(name: str) -> None:
    """Refuse a name that is not one of `SPLIT_NAMES`, before any slice is read.

    Raises:
        UnknownNameError: There is no such split; the nearest is offered.
        SplitError: The split was withdrawn.
    """
    if name == "block-seed42":
        raise SplitError(
            "this split was withdrawn: it held neighbouring slices together, and of its 612 test slices 567 had slices "
            "of the same patient in training",
            where=name,
            mend="use the split patient-5fold-1",
        )
    if name not in SPLIT_NAMES:
        raise unknown_name("split", name, SPLIT_NAMES)


def make_split(name: str, dataset: Dataset) -> Split:
    """The split of this name for a dataset.

    Raises:
        UnknownNameError: A name outside `SPLIT_NAMES`.
        SplitError: The dataset lacks what the split needs: patient ids, `cvind.mat`, or enough slices; or the split was
            withdrawn.
    """
    require_split(name)
    if name == "slice-seed42":
        return slice_seed42(len(dataset))
    fold = int(name.rsplit("-", 1)[1])
    if name.startswith("patient-"):
        split = patient_folds(dataset.patients, dataset.strata, fold=fold, cohort=dataset.whole)
    else:
        split = cvind_folds(_cvind_of(dataset, name), fold)
    _warn_of_absent_classes(split, dataset.strata)
    return split


def _cvind_of(dataset: Dataset, name: str) -> NDArray[np.int64]:
    """The folds of a dataset's slices, found by file number, so that a limited dataset keeps them."""
    from btlib.data.sources.figshare.cvind import read_cvind

    cvind = read_cvind(dataset.folder, name)
    numbers = [int(one) if one.isdecimal() else 0 for one in dataset.ids.tolist()]
    if min(numbers) < 1:
        raise SplitError(
            f"cvind.mat has folds for slices by number, but there is a sample {dataset.ids[np.argmin(numbers)]}",
            where=name,
            mend="use the split patient-5fold-1, or slice-seed42",
        )
    if max(numbers) > len(cvind):
        raise SplitError(
            f"cvind.mat has folds for {len(cvind)} slices, but there is a slice {max(numbers)}",
            where=name,
            mend="use the cvind.mat that belongs to these slices",
        )
    return np.asarray(cvind[np.array(numbers) - 1])


def _warn_of_absent_classes(split: Split, labels: NDArray[np.int64]) -> None:
    absent = sorted(set(labels.tolist()) - set(labels[split.test].tolist()))
    if absent:
        warnings.warn(f"{split.name}: no test slice of class {absent}; use more slices", BtlibWarning, stacklevel=3)
