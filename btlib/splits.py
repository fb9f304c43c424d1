"""Which slices train, which validate and which test. A split's name is part of every number's identity.

`slice-seed42` is the thesis's, slice by slice, so slices of one patient stand on both sides; `patient-5fold-1` …
`-5` and `cvind-1` … `-5` keep patients apart.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.dataset import Dataset
from btlib.errors import BtlibWarning, SplitError
from btlib.registry import unknown_name

FOLDS = 5
SPLIT_NAMES = (
    "slice-seed42",
    *(f"patient-{FOLDS}fold-{k}" for k in range(1, FOLDS + 1)),
    *(f"cvind-{k}" for k in range(1, FOLDS + 1)),
)
"""All splits that `make_split` knows."""


@dataclass(frozen=True, eq=False)
class Split:
    """Positions (0-based, int64) of the slices in a dataset; the three sets share none.

    Attributes:
        name: One of `SPLIT_NAMES`, or a name of one's own.
        train: Slices to learn from; not empty.
        val: Slices to choose by; may be empty.
        test: Slices to report; not empty.
    """

    name: str
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]

    def __post_init__(self) -> None:
        for part in ("train", "val", "test"):
            object.__setattr__(self, part, self._positions(part))
            if part != "val" and len(getattr(self, part)) == 0:
                raise SplitError(f"no slice is left for {part}", where=self.name, mend="use more slices")
        together = np.concatenate([self.train, self.val, self.test])
        values, times = np.unique(together, return_counts=True)
        if (times > 1).any():
            raise SplitError(
                f"{int((times > 1).sum())} slices stand in it more than once, first position {values[times > 1][0]}",
                where=self.name,
                mend="each slice belongs to one of train, val and test",
            )

    def _positions(self, part: str) -> NDArray[np.int64]:
        given = np.asarray(getattr(self, part))
        if given.ndim != 1 or (len(given) and (given.dtype.kind not in "iu" or given.min() < 0)):
            raise SplitError(
                f"{part}: expected positions from 0 in one axis, got {given.dtype} {given.shape}",
                where=self.name,
                mend="give whole numbers from 0",
            )
        return given.astype(np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the split: its name and all positions."""
        return fingerprint.of(self.name, self.train.tolist(), self.val.tolist(), self.test.tolist())


def slice_seed42(n: int) -> Split:
    """The thesis's split of n slices in file order.

    The same as `torch.utils.data.random_split` with lengths [train, val, test] and a generator seeded with 42, without
    torch: `torch.randperm` on the CPU swaps position i with i + z, z drawn from a Mersenne twister modulo n - i.

    Raises:
        SplitError: Too few slices for a test set (n < 5).
    """
    n_test = int(0.2 * n)
    n_val = int(0.1 * (n - n_test))
    order = np.arange(n, dtype=np.int64)
    draws = np.random.RandomState(42).randint(0, 2**32, size=max(n - 1, 0), dtype=np.uint32)
    for i, draw in enumerate(draws.tolist()):
        j = i + draw % (n - i)
        order[i], order[j] = order[j], order[i]
    n_train = n - n_test - n_val
    return Split("slice-seed42", order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :])


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


def make_split(name: str, dataset: Dataset) -> Split:
    """The split of this name for a dataset.

    Raises:
        UnknownNameError: A name outside `SPLIT_NAMES`.
        SplitError: The dataset has not what the split needs: patient ids, `cvind.mat`, or enough slices.
    """
    if name not in SPLIT_NAMES:
        raise unknown_name("split", name, SPLIT_NAMES)
    if name == "slice-seed42":
        return slice_seed42(len(dataset))
    fold = int(name.rsplit("-", 1)[1])
    if name.startswith("patient-"):
        split = patient_folds(dataset.patients, dataset.labels, fold=fold)
    else:
        split = cvind_folds(_cvind_of(dataset, name), fold)
    _warn_of_absent_classes(split, dataset.labels)
    return split


def _cvind_of(dataset: Dataset, name: str) -> NDArray[np.int64]:
    """The folds of a dataset's slices, found by file number, so that a limited dataset keeps them."""
    from btlib.data.cvind import read_cvind

    cvind = read_cvind(dataset.folder, name)
    if dataset.numbers.max() > len(cvind):
        raise SplitError(
            f"cvind.mat has folds for {len(cvind)} slices, but there is a slice {dataset.numbers.max()}",
            where=name,
            mend="use the cvind.mat that belongs to these slices",
        )
    return cvind[dataset.numbers - 1]


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


def _warn_of_absent_classes(split: Split, labels: NDArray[np.int64]) -> None:
    absent = sorted(set(labels.tolist()) - set(labels[split.test].tolist()))
    if absent:
        warnings.warn(f"{split.name}: no test slice of class {absent}; use more slices", BtlibWarning, stacklevel=3)
