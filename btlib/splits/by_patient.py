"""Patient-disjoint folds."""

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

FEWER = (3, 4)
"""Other numbers of folds with a name, for data of 3 or 4 patients."""

UNKNOWN = (
    "give patient ids (a column patient in metadata.csv; for Figshare slices, the original files); if the samples are "
    "independent of each other, state it (independent = true in task.toml, or --bt-independent) and use "
    "random-5fold-1; slice-seed42, the thesis's split, ignores patients"
)
"""What to do about samples without a patient id."""


def patient_folds(
    patients: Sequence[str | None],
    labels: NDArray[np.int64],
    k: int = FOLDS,
    *,
    fold: int,
    cohort: Cohort | None = None,
) -> Split:
    """Make split `fold` of k patient-disjoint, stratified folds: fold `fold` is the test set, the next one validates.

    Args:
        patients: Patient id of every sample.
        labels: Class of every sample, int64 [n].
        k: Number of folds; at least 3, so that training samples remain.
        fold: Number of the test fold, 1…k.
        cohort: The complete data set, whose folds are used; None: these samples are the complete data set.

    Raises:
        SplitError: Samples have no patient id, there are fewer patients than folds, or the fold is outside 1…k.
    """
    name = f"patient-{k}fold-{fold}"
    if strange := unknown(patients):
        raise SplitError(
            f"{strange} of {len(patients)} samples have no patient id",
            where=name,
            hint=UNKNOWN,
        )
    folds = cohort_folds(Cohort(tuple(patients), labels) if cohort is None else cohort, k, name)
    strangers = sorted({str(patient) for patient in patients} - folds.keys())
    if strangers:
        raise SplitError(
            f"patient {strangers[0]!r} is not a patient of the complete data set",
            where=name,
            hint="if you replace patients, replace the cohort too (cohort=None: these samples are the complete set)",
        )
    return from_folds(name, np.array([folds[str(patient)] for patient in patients]), fold, k)


def cohort_folds(cohort: Cohort, k: int, name: str) -> Mapping[str, int]:
    """Fold 1…k of every patient: the stored fold if folds are stored and k is 5, otherwise by `btlib.splits.folds`.

    Raises:
        SplitError: There are fewer patients than folds.
    """
    known = [(str(p), label) for p, label in zip(cohort.patients, cohort.labels, strict=True) if p is not None]
    ids, labels = [patient for patient, _ in known], np.array([label for _, label in known], dtype=np.int64)
    if len(set(ids)) < k:
        raise SplitError(f"expected at least {k} patients, got {len(set(ids))}", where=name, hint=_few(len(set(ids))))
    if cohort.folds is None or k != FOLDS:
        return assign_folds(ids, labels, k)
    strangers = sorted(set(ids) - cohort.folds.keys())
    return {**cohort.folds, **{patient: _fold_of_stranger(patient, k) for patient in strangers}}


def _few(n: int) -> str:
    """Return what to do about n patients, which are fewer than the folds."""
    return f"use patient-{n}fold-1, or more patients" if n in FEWER else "use samples of more patients"


def _fold_of_stranger(patient: str, k: int) -> int:
    """Fold of a patient without a stored fold, computed from a hash of the id."""
    return int.from_bytes(sha256(patient.encode()).digest()[:8], "big") % k + 1


def from_folds(name: str, folds: NDArray[np.int64], fold: int, k: int) -> Split:
    """Make the split that tests fold `fold` of k and validates on the next one; `folds` is int64 [n], 1…k."""
    if not (k >= 3 and 1 <= fold <= k):
        raise SplitError(
            f"expected a fold 1…{k} of at least 3 folds, got {fold}", where=name, hint="count folds from 1"
        )
    test, val = folds == fold, folds == fold % k + 1
    return Split(name, *(np.flatnonzero(part) for part in (~test & ~val, val, test)))
