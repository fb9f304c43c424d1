"""Folds of a cohort: whose they are where only a part of the samples is used, and of patients nobody has stored."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256

import numpy as np
import pytest

from btlib import splits
from btlib.data.dataset import Cohort, Dataset
from btlib.errors import SplitError

PATIENTS = tuple(f"P{i * i % 23}" for i in range(60))
LABELS = np.array([i * i % 23 % 3 for i in range(60)])
IDS = sorted(set(PATIENTS))


def folds_of(patients: tuple[str | None, ...], labels: np.ndarray, k: int, cohort: Cohort | None) -> dict[str, int]:
    """The fold that tests each patient."""
    found: dict[str, int] = {}
    for fold in range(1, k + 1):
        split = splits.patient_folds(patients, labels, k, fold=fold, cohort=cohort)
        assert split.name == f"patient-{k}fold-{fold}"
        found |= {str(patients[i]): fold for i in split.test}
    return found


@pytest.mark.parametrize("k", [3, 4, 5, 12])
def test_any_number_of_folds_from_3_on(k: int) -> None:
    """Each patient is tested once, and validates in the fold before; after the last fold comes the first."""
    folds = splits.assign_folds(PATIENTS, LABELS, k)
    assert set(folds.values()) == set(range(1, k + 1))
    assert folds_of(PATIENTS, LABELS, k, None) == folds
    of = np.array([folds[patient] for patient in PATIENTS])
    for fold in range(1, k + 1):
        split = splits.patient_folds(PATIENTS, LABELS, k, fold=fold)
        after = 1 if fold == k else fold + 1
        assert split.test.tolist() == np.flatnonzero(of == fold).tolist()
        assert split.val.tolist() == np.flatnonzero(of == after).tolist()
        assert split.train.tolist() == np.flatnonzero((of != fold) & (of != after)).tolist()


def test_two_folds_leave_nothing_to_train_on() -> None:
    with pytest.raises(SplitError, match="patient-2fold-1: expected a fold 1…2 of at least 3 folds, got 1\n"):
        splits.patient_folds(PATIENTS, LABELS, 2, fold=1)


def test_as_many_patients_as_folds_are_enough() -> None:
    four, five = IDS[:4], IDS[:5]
    assert sorted(folds_of(tuple(five), np.zeros(5, int), 5, None).values()) == [1, 2, 3, 4, 5]
    with pytest.raises(SplitError, match="patient-5fold-1: expected at least 5 patients, got 4\n"):
        splits.patient_folds([*four, four[0]], np.zeros(5, int), fold=1)


@pytest.mark.parametrize("unknown", [(3,), (3, 7)])
def test_a_single_slice_without_patient_is_too_many(unknown: tuple[int, ...]) -> None:
    patients = [None if i in unknown else patient for i, patient in enumerate(PATIENTS)]
    with pytest.raises(SplitError, match=f"patient-5fold-2: {len(unknown)} of 60 samples have no patient id"):
        splits.patient_folds(patients, LABELS, fold=2)


def test_slices_without_patient_in_the_rest_of_the_cohort_are_passed_over() -> None:
    cohort = Cohort((*PATIENTS, None, None), np.append(LABELS, [2, 2]))
    assert folds_of(PATIENTS, LABELS, 5, cohort) == splits.assign_folds(PATIENTS, LABELS, 5)
    assert dict(splits.cohort_folds(cohort, 5, "any")) == splits.assign_folds(PATIENTS, LABELS, 5)


def test_a_cohort_has_one_label_a_patient_entry() -> None:
    with pytest.raises(ValueError, match="zip"):
        splits.cohort_folds(Cohort(PATIENTS, LABELS[:-1]), 5, "any")


STORED = {patient: 1 + (7 * i) % 5 for i, patient in enumerate(IDS)}


def test_stored_folds_are_those_that_are_used() -> None:
    cohort = Cohort(PATIENTS, LABELS, STORED)
    assert splits.assign_folds(PATIENTS, LABELS, 5) != STORED
    assert folds_of(PATIENTS, LABELS, 5, cohort) == STORED
    assert dict(splits.cohort_folds(cohort, 5, "any")) == STORED


def test_stored_folds_are_of_five_and_no_other_number() -> None:
    cohort = Cohort(PATIENTS, LABELS, STORED)
    for k in (3, 4, 6):
        assert folds_of(PATIENTS, LABELS, k, cohort) == splits.assign_folds(PATIENTS, LABELS, k)


def test_the_fold_of_a_patient_outside_the_stored_ones_is_of_its_id_alone() -> None:
    known = {patient: fold for patient, fold in STORED.items() if patient not in IDS[:6]}
    folds = splits.cohort_folds(Cohort(PATIENTS, LABELS, known), 5, "any")
    expected = {patient: int(sha256(patient.encode()).hexdigest()[:16], 16) % 5 + 1 for patient in IDS[:6]}
    assert len(set(expected.values())) > 2
    assert dict(folds) == known | expected


def test_the_first_of_several_unknown_patients_is_named(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(24)
    others = tuple(f"Q{9 - i // 3}" for i in range(24))
    with pytest.raises(SplitError, match="patient-5fold-1: patient 'Q2' is not a patient of the complete data set"):
        splits.make_split("patient-5fold-1", replace(dataset, patients=others, cohort=dataset.whole))


def test_a_part_of_a_dataset_keeps_the_folds_of_its_cohort(make_dataset: Callable[..., Dataset]) -> None:
    whole = make_dataset(120, size=8)
    part = whole.subset(np.arange(119, 0, -3))
    assert part.cohort is not None
    folds = splits.cohort_folds(part.cohort, 5, "any")
    assert splits.assign_folds([str(p) for p in part.patients], part.labels, 5) != {
        str(p): folds[str(p)] for p in part.patients
    }
    for fold in range(1, 6):
        split = splits.make_split(f"patient-5fold-{fold}", part)
        assert {part.patients[i] for i in split.test} == {p for p in part.patients if folds[str(p)] == fold}


@pytest.mark.parametrize(("seed", "k"), [(0, 3), (1, 4), (2, 5), (3, 5), (4, 7)])
def test_each_patient_is_placed_where_shares_stay_most_equal(seed: int, k: int) -> None:
    """Written out with exact shares: the sum of squares over all folds, for each fold that the patient could have."""
    rng = np.random.default_rng(seed)
    patients = [f"P{p}" for p in rng.integers(0, 30, 200) ** 2 // 25]
    labels = np.searchsorted([0.6, 0.9], rng.random(200))  # unequal classes, and patients of several
    rows = list(zip(patients, labels.tolist(), strict=True))

    def squares(folds: dict[str, int]) -> Fraction:
        total = Fraction(0)
        for types in ({0}, {1}, {2}, {0, 1, 2}):
            of_type = [patient for patient, label in rows if label in types]
            for fold in range(1, k + 1):
                samples = sum(folds.get(patient) == fold for patient in of_type)
                people = sum(folds.get(patient) == fold for patient in set(of_type))
                total += Fraction(samples, len(of_type)) ** 2 + Fraction(people, len(set(of_type))) ** 2
        return total

    expected: dict[str, int] = {}
    for patient in sorted(set(patients), key=lambda one: (-patients.count(one), one)):
        expected[patient] = min(range(1, k + 1), key=lambda fold: squares(expected | {patient: fold}))
    assert splits.assign_folds(patients, labels, k) == expected
