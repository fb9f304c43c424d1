"""The split of a run, written out: who trains, validates and tests, by sample and by patient."""

from typing import Any

from pydantic import model_validator

from btlib.data.dataset import Dataset
from btlib.errors import SplitError
from btlib.splits import FOLDS, Split, cohort_folds
from btlib.stored import Stored, Strict


class Part(Strict):
    """One part of a split.

    Attributes:
        ids: Of its samples, in the order of the split.
        patients: Patients in it, sorted; None where some are unknown.
    """

    ids: list[str]
    patients: list[str] | None

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read what older versions wrote: the numbers of samples."""
        if not isinstance(value, dict) or not isinstance(value.get("slices"), list):
            return value
        rest = {name: field for name, field in value.items() if name != "slices"}
        return {**rest, "ids": [str(number) for number in value["slices"]]}


class SplitFile(Stored):
    """`split.json` of a run: enough to make the same split without btlib.

    Attributes:
        name: Such as "patient-5fold-1".
        fingerprint: Of its name and positions.
        train: What models learn from.
        val: What epochs and thresholds are chosen on.
        test: What is reported.
        folds: Patient → fold 1…5 of `patient-5fold-…`, of everyone in the whole data set; None where some sample has no
            patient id, or there are too few patients.
    """

    name: str
    fingerprint: str
    train: Part
    val: Part
    test: Part
    folds: dict[str, int] | None = None


def split_file(split: Split, dataset: Dataset) -> SplitFile:
    """A split of a data set, written out."""

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
