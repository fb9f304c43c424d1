"""Folds that keep patients apart."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Cohort
from btlib.data.grouping import unknown
from btlib.errors import SplitError
from btlib.splits.folds import assign_folds
from btlib.splits.split import Split

FOLDS = 5


def patient_folds(
    patients: Sequence[str | None],
    labels: NDArray[np.int64],
    k: int = FOLDS,
    *,
    fold: int,
    cohort: Cohort | None = None,
) -> Split:
    """Fold `fold` of k: patients kept whole, classes in proportion; the next fold validates.

    Args:
        patients: Patient id of every sample.
        labels: Class of every sample, int64 [n].
        k: How many folds; at least 3, so that something is left to train on.
        fold: Which of them tests, 1…k.
        cohort: The whole data set that the samples are a part of, whose folds they keep; None: they are the whole.

    Raises:
        SplitError: Samples without patient id, fewer patients than folds, or a fold outside 1…k.
    """
    name = f"patient-{k}fold-{fold}"
    if strange := unknown(patients):
        raise SplitError(
            f"{strange} of {len(patients)} samples have no patient id (PID), and are no known samples of the Figshare "
            "data set",
            where=name,
            hint="use the original files, or the split slice-seed42, which needs no patients",
        )
    folds = cohort_folds(Cohort(tuple(patients), labels) if cohort is None else cohort, k, name)
    strangers = sorted({str(patient) for patient in patients} - folds.keys())
    if strangers:
        raise SplitError(
            f"patient {strangers[0]!r} is not among the patients of the whole data set",
            where=name,
            hint="where patients are replaced, replace the cohort too (cohort=None: these samples are the whole)",
        )
    return _from_folds(name, np.array([folds[str(patient)] for patient in patients]), fold, k)


def cohort_folds(cohort: Cohort, k: int, name: str) -> Mapping[str, int]:
    """Fold 1…k of every patient: as it is stored with the data, and for others by `btlib.splits.folds`.

    Raises:
        SplitError: Fewer patients than folds.
    """
    known = [(str(p), label) for p, label in zip(cohort.patients, cohort.labels, strict=True) if p is not None]
    ids, labels = [patient for patient, _ in known], np.array([label for _, label in known], dtype=np.int64)
    if len(set(ids)) < k:
        raise SplitError(f"expected at least {k} patients, got {len(set(ids))}", where=name, hint="use more samples")
    if cohort.folds is None or k != FOLDS:
        return assign_folds(ids, labels, k)
    strangers = sorted(set(ids) - cohort.folds.keys())
    return {**cohort.folds, **{patient: _fold_of_stranger(patient, k) for patient in strangers}}


def _fold_of_stranger(patient: str, k: int) -> int:
    """The fold of the rare patient that the stored folds do not know, by the text of the id alone."""
    return int.from_bytes(sha256(patient.encode()).digest()[:8], "big") % k + 1


def cvind_folds(cvind: NDArray[np.int64], fold: int) -> Split:
    """Fold `fold` of the dataset's own patient-disjoint folds; the next fold validates.

    Args:
        cvind: Fold of every sample, 1…5, int64 [n].
        fold: Which of them tests, 1…5.

    Raises:
        SplitError: A fold outside 1…5, or a fold without samples.
    """
    strange = cvind[(cvind < 1) | (cvind > FOLDS)]
    if len(strange):
        raise SplitError(f"expected folds 1…{FOLDS}, got {strange[0]}", where="cvind", hint="get cvind.mat again")
    return _from_folds(f"cvind-{fold}", cvind, fold, FOLDS)


def _from_folds(name: str, folds: NDArray[np.int64], fold: int, k: int) -> Split:
    if not (k >= 3 and 1 <= fold <= k):
        raise SplitError(f"expected a fold 1…{k} of at least 3, got {fold}", where=name, hint="count folds from 1")
    test, val = folds == fold, folds == fold % k + 1
    return Split(name, *(np.flatnonzero(part) for part in (~test & ~val, val, test)))
