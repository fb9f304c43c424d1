"""Splits of the Figshare data set's authors: the folds of its file `cvind.mat`."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import SplitError
from btlib.splits.by_patient import FOLDS, from_folds
from btlib.splits.split import Split


def by_cvind(fold: int, dataset: Dataset) -> Split:
    """Make split `fold` of a data set from the `cvind.mat` next to its files.

    Raises:
        SplitError: There is no `cvind.mat`, or it does not fit the samples.
    """
    return cvind_folds(_cvind_of(dataset, f"cvind-{fold}"), fold)


def cvind_folds(cvind: NDArray[np.int64], fold: int) -> Split:
    """Make split `fold` of the data set's own patient-disjoint folds; the next fold validates.

    Args:
        cvind: Fold of every sample, 1…5, int64 [n].
        fold: Number of the test fold, 1…5.

    Raises:
        SplitError: A fold is outside 1…5, or no sample is left for training or testing.
    """
    strange = cvind[(cvind < 1) | (cvind > FOLDS)]
    if len(strange):
        raise SplitError(f"expected folds 1…{FOLDS}, got {strange[0]}", where="cvind", hint="download cvind.mat again")
    return from_folds(f"cvind-{fold}", cvind, fold, FOLDS)


def _cvind_of(dataset: Dataset, name: str) -> NDArray[np.int64]:
    """Folds of a data set's slices, found by file number, so that a subset of the data keeps its folds."""
    from btlib.data.sources.figshare.cvind import read_cvind

    cvind = read_cvind(dataset.folder, name)
    numbers = [int(one) if one.isdecimal() else 0 for one in dataset.ids.tolist()]
    if min(numbers) < 1:
        raise SplitError(
            f"cvind.mat contains folds of numbered slices, but there is a sample {dataset.ids[np.argmin(numbers)]}",
            where=name,
            hint="use the split patient-5fold-1, or slice-seed42",
        )
    if max(numbers) > len(cvind):
        raise SplitError(
            f"cvind.mat contains folds of {len(cvind)} slices, but there is a slice {max(numbers)}",
            where=name,
            hint="use the cvind.mat that belongs to these slices",
        )
    return np.asarray(cvind[np.array(numbers) - 1])
