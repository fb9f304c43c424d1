"""Split of a run as a file: training, validation and test samples, and their patients."""

from typing import Any

from pydantic import model_validator

from btlib.data.dataset import Dataset
from btlib.errors import SplitError
from btlib.splits import FOLDS, Split, cohort_folds
from btlib.stored import Stored, Strict


class Part(Strict):
    """Part of a split.

    Attributes:
        ids: Ids of its samples, in the order of the split.
        patients: Sorted patients of its samples; None if some are unknown.
    """

    ids: list[str]
    patients: list[str] | None

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read files of older versions, which contain the numbers of the samples."""
        if not isinstance(value, dict) or not isinstance(value.get("slices"), list):
            return value
        rest = {name: field for name, field in value.items() if name != "slices"}
        return {**rest, "ids": [str(number) for number in value["slices"]]}


class SplitFile(Stored):
    """Content of a run's `split.json`. It is sufficient to make the same split without btlib.

    Attributes:
        name: Name, such as "patient-5fold-1".
        fingerprint: Fingerprint of the name and the positions.
        train: Samples for training.
        val: Samples for the choice of epochs and thresholds.
        test: Samples for the reported numbers.
        folds: Patient → fold 1…5 of `patient-5fold-…`, for all patients of the complete data set; None if a sample has
            no patient id, or there are too few patients.
    """

    name: str
    fingerprint: str
    train: Part
    val: Part
    test: Part
    folds: dict[str, int] | None = None


def split_file(split: Split, dataset: Dataset) -> SplitFile:
    """Return the file content for a split of a data set."""

    def part(name: str) -> Part:
        at = getattr(split, name)
        ids = {dataset.patients[i] for i in at}
        patients = None if None in ids else sorted(str(patient) for patient in ids)
        return Part(ids=dataset.ids[at].tolist(), patients=patients)

    return SplitFile(
        name=split.name,
        fingerprint=split.fingerprint,
        train=part("train"),
        val=part("val"),
        test=part("test"),
        folds=_folds(split, dataset),
    )


def _folds(split: Split, dataset: Dataset) -> dict[str, int] | None:
    if None in dataset.whole.patients:
        return None
    try:
        return dict(cohort_folds(dataset.whole, FOLDS, split.name))
    except SplitError:  # fewer patients than folds
        return None
