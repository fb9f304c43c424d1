"""Split of a data set if the user names none."""

from typing import NamedTuple

from btlib.data.dataset import Dataset
from btlib.data.grouping import group_names, unknown
from btlib.data.sources.tasks import BUILT_IN
from btlib.errors import SplitError
from btlib.splits.by_patient import FEWER, FOLDS, UNKNOWN
from btlib.splits.by_slice import NAME as BY_SLICE
from btlib.splits.official import NAME as OFFICIAL

_PART = "name the part of each sample in a column split of metadata.csv (train, val, test)"


class DefaultSplit(NamedTuple):
    """Name of a split, and why it is the default; the reason is "" for the built-in tasks."""

    name: str
    reason: str


def default_split(dataset: Dataset) -> DefaultSplit:
    """Choose the split of a data set.

    The built-in tasks of btlib (Figshare and its phantoms) have the thesis's split. For other data, the first that they
    allow is taken: their official split; `patient-5fold-1`; or `random-5fold-1` if the samples are stated to be
    independent. Data of 3 or 4 patients (or samples, or volumes) have as many folds.

    Raises:
        SplitError: There are too few patients; or patients are unknown and the samples are not stated to be
            independent.
    """
    if dataset.task.name in BUILT_IN:
        return DefaultSplit(BY_SLICE, "")
    if dataset.official is not None:
        return DefaultSplit(OFFICIAL, "the data state it")
    whole = dataset.whole.patients
    strange = unknown(whole)
    if not strange:
        n = len(set(whole))
        return DefaultSplit(f"patient-{_folds(n, 'patients')}fold-1", _reason("the patients are known", n, "patients"))
    if not (dataset.independent or dataset.task.independent):
        raise SplitError(
            f"there is no official split, {strange} of {len(whole)} samples have no patient id, and the task does not "
            "state that the samples are independent of each other",
            where=f"default split of {dataset.task.name}",
            hint=f"{_PART}; or {UNKNOWN}",
        )
    n = len(set(group_names(dataset.ids.tolist(), dataset.patients, dataset.volumes)))
    reason = _reason("the samples are stated to be independent", n, "samples or volumes")
    return DefaultSplit(f"random-{_folds(n, 'samples or volumes')}fold-1", reason)


def _folds(n: int, what: str) -> int:
    if n < min(FEWER):
        raise SplitError(
            f"expected at least {min(FEWER)} {what} for training, validation and test, got {n}",
            where="default split",
            hint=_PART,
        )
    return min(n, FOLDS)


def _reason(why: str, n: int, what: str) -> str:
    return why if n >= FOLDS else f"{why}; {n} folds, because there are only {n} {what}"
