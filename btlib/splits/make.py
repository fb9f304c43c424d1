"""Splits by name. Other packages add splits with an entry point in the group `btlib.splits`."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.data.grouping import in_several_parts
from btlib.errors import SplitError, warn
from btlib.registry import Registry
from btlib.splits.at_random import random_folds
from btlib.splits.by_cvind import by_cvind
from btlib.splits.by_patient import FEWER, FOLDS, patient_folds
from btlib.splits.by_slice import NAME as BY_SLICE
from btlib.splits.by_slice import slice_seed42
from btlib.splits.official import NAME as OFFICIAL
from btlib.splits.official import official
from btlib.splits.split import Split

SPLITS: Registry[Callable[[Dataset], Split]] = Registry("split", "btlib.splits")
"""Name → function that makes the split of a data set; it raises SplitError if required data are missing."""


def require_split(name: str) -> None:
    """Raise an error for a name that is not in `SPLITS`, before any sample is read.

    Raises:
        UnknownNameError: There is no such split; the hint names the most similar one.
        SplitError: The split was withdrawn.
    """
    if name == "block-seed42":
        raise SplitError(
            "this split was withdrawn: it grouped neighbouring slices, but for 567 of its 612 test slices, the "
            "training set contained slices of the same patient",
            where=name,
            hint="use the split patient-5fold-1",
        )
    SPLITS[name]


def make_split(name: str, dataset: Dataset, *, alone: bool = True) -> Split:
    """Make the split of this name for a data set.

    Args:
        name: Name of the split.
        dataset: Samples to split.
        alone: Whether this is the only split of the run. If so, a warning names classes without test samples.

    Raises:
        UnknownNameError: The name is not in `SPLITS`.
        SplitError: The data set lacks patient ids, `cvind.mat` or samples that the split needs, or the split was
            withdrawn; or the split cuts a volume, so that its samples are in several parts.
    """
    require_split(name)
    split = SPLITS[name](dataset)
    if split.name != name:
        raise SplitError(f"expected a split with this name, got {split.name!r}", where=name, hint="rename the split")
    _check_volumes(split, dataset)
    if alone and name != BY_SLICE:  # the thesis's split is fixed
        _warn_of_absent_classes(split, dataset.strata)
    if alone and dataset.official is not None and name != OFFICIAL:
        warn(f"{name}: the data have an official split, which is not used; select it with --bt-split {OFFICIAL}")
    return split


def _check_volumes(split: Split, dataset: Dataset) -> None:
    """Check that the samples of each volume are in one part; btlib's own splits never cut a volume.

    The thesis's split and those of other packages may know no volumes: a warning then names the volumes.

    Raises:
        SplitError: The official split cuts a volume.
    """
    parts = [part.tolist() for part in (split.train, split.val, split.test)]
    cut = [] if dataset.volumes is None else in_several_parts(dataset.volumes, parts)
    if not cut:
        return
    n = f"{len(cut)} volumes have" if len(cut) > 1 else "1 volume has"
    problem = f"{n} samples in several parts, the first is {cut[0]!r}"
    if split.name == OFFICIAL:
        raise SplitError(problem, where=split.name, hint="put all samples of a volume into the same part")
    if not dataset.task.synthetic:  # the volumes of phantoms stand for no patient's
        warn(f"{split.name}: {problem}; scores by volume are those of the test samples only", stacklevel=3)


def _by_slice(dataset: Dataset) -> Split:
    return slice_seed42(len(dataset))


def _by_patient(k: int, fold: int, dataset: Dataset) -> Split:
    return patient_folds(dataset.patients, dataset.strata, k, fold=fold, cohort=dataset.whole)


SPLITS.add(BY_SLICE, _by_slice)
for _k in (FOLDS, *FEWER):
    for _fold in range(1, _k + 1):
        SPLITS.add(f"patient-{_k}fold-{_fold}", partial(_by_patient, _k, _fold))
for _k in (FOLDS, *FEWER):
    for _fold in range(1, _k + 1):
        SPLITS.add(f"random-{_k}fold-{_fold}", partial(random_folds, k=_k, fold=_fold))
for _fold in range(1, FOLDS + 1):
    SPLITS.add(f"cvind-{_fold}", partial(by_cvind, _fold))
SPLITS.add(OFFICIAL, official)


def _warn_of_absent_classes(split: Split, labels: NDArray[np.int64]) -> None:
    absent = sorted(set(labels.tolist()) - set(labels[split.test].tolist()))
    if absent:
        warn(f"{split.name}: no test sample of class {absent}; use more samples", stacklevel=3)
