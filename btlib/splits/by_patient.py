"""Folds that keep patients apart."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.errors import SplitError
from btlib.splits.split import Split

FOLDS = 5


def patient_folds(
    patients: Sequence[str | None], labels: NDArray[np.int64], k: int = FOLDS, *, fold: int, seed: int = 42
) -> Split:
    """Fold `fold` of k: patients kept together, classes in proportion; the next fold validates.

    Args:
        patients: Patient id of every slice.
        labels: Class of every slice, int64 [n].
        k: How many folds; at least 3, so that something is left to train on.
        fold: Which of them tests, 1…k.
        seed: Shuffles patients.

    Raises:
        SplitError: Slices without patient id, fewer patients than folds, or a fold outside 1…k.
    """
    name = f"patient-{k}fold-{fold}"
    unknown = sum(patient is None for patient in patients)
    if unknown:
        raise SplitError(
            f"{unknown} of {len(patients)} slices have no patient id (PID)",
            where=name,
            mend="use the original files, or the split slice-seed42, which needs no patients",
        )
    if len(set(patients)) < k:
        raise SplitError(
            f"expected at least {k} patients, got {len(set(patients))}", where=name, mend="use more slices"
        )
    return _from_folds(name, _assign_folds(np.asarray(patients, dtype=str), labels, k, seed), fold, k)


def cvind_folds(cvind: NDArray[np.int64], fold: int) -> Split:
    """Fold `fold` of the dataset's own patient-disjoint folds; the next fold validates.

    Args:
        cvind: Fold of every slice, 1…5, int64 [n].
        fold: Which of them tests, 1…5.

    Raises:
        SplitError: A fold outside 1…5, or a fold without slices.
    """
    strange = cvind[(cvind < 1) | (cvind > FOLDS)]
    if len(strange):
        raise SplitError(f"expected folds 1…{FOLDS}, got {strange[0]}", where="cvind", mend="get cvind.mat again")
    return _from_folds(f"cvind-{fold}", cvind, fold, FOLDS)


def _assign_folds(patients: NDArray[Any], labels: NDArray[np.int64], k: int, seed: int) -> NDArray[np.int64]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.zeros(len(labels), dtype=np.int64)
    cutter = StratifiedGroupKFold(n_splits=k, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # of a class rarer than k; make_split says so itself where a test set lacks a class
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        try:
            for fold, (_, test) in enumerate(cutter.split(np.zeros(len(labels)), labels, patients), start=1):
                folds[test] = fold
        except ValueError as error:
            raise SplitError(str(error), where=f"{k} patient folds", mend="use more slices") from error
    return folds


def _from_folds(name: str, folds: NDArray[np.int64], fold: int, k: int) -> Split:
    if not (k >= 3 and 1 <= fold <= k):
        raise SplitError(f"expected a fold 1…{k} of at least 3, got {fold}", where=name, mend="count folds from 1")
    test, val = folds == fold, folds == fold % k + 1
    return Split(name, *(np.flatnonzero(part) for part in (~test & ~val, val, test)))
