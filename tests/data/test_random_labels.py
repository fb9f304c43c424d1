"""Random tumour types: one a patient, told apart from the true ones, to be learned from nothing but patients."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib.data.dataset import Dataset
from btlib.data.grouping import patient_groups, unit_of
from btlib.data.random_labels import with_random_labels
from btlib.data.task import Task
from btlib.errors import DataError

Make = Callable[..., Dataset]
LABELS = [1, 1, 2, 0, 0, 1]


def test_every_patient_has_one_type_and_types_are_even(make_dataset: Make):
    dataset = make_dataset(120)
    changed = with_random_labels(dataset)
    by_patient: dict[str | None, set[int]] = {}
    for patient, label in zip(changed.patients, changed.labels.tolist(), strict=True):
        by_patient.setdefault(patient, set()).add(label)
    assert all(len(types) == 1 for types in by_patient.values())
    assert np.bincount([min(types) for types in by_patient.values()]).tolist() == [20, 20, 20]
    assert 20 < (changed.labels == dataset.labels).sum() < 60, "no more than chance would have it"
    assert changed.fingerprint != dataset.fingerprint
    assert changed.masks is dataset.masks
    assert (with_random_labels(dataset).labels == changed.labels).all()
    assert changed.whole.labels is dataset.labels, "folds are those of the true types"
    assert changed.whole.patients == dataset.patients
    assert with_random_labels(dataset.limit(12)).labels.tolist()[:6] == LABELS, "the same in every version"
    assert (with_random_labels(dataset, seed=1).labels != changed.labels).any()


def test_without_patients_nothing_is_drawn(make_dataset: Make):
    """What is drawn by slice shows nothing of patients."""
    dataset = replace(make_dataset(12), patients=(*(["P1"] * 11), None))
    with pytest.raises(DataError, match="1 of 12 samples have no patient id"):
        with_random_labels(dataset)


def test_without_classes_nothing_is_drawn(make_dataset: Make):
    dataset = make_dataset(12)
    task = Task(name="t", structures=dataset.task.structures, channels=dataset.task.channels)
    with pytest.raises(DataError, match="t: the task has no classes to draw"):
        with_random_labels(replace(dataset, task=task, labels=None))


def test_groups_are_patients_or_else_slices():
    known = patient_groups(["b", "a", "b", "a", "c", "c"]).tolist()
    assert [known.index(g) for g in known] == [0, 1, 0, 1, 4, 4]
    assert patient_groups(["b", None, "b", "a", "", None]).tolist() == [2, 3, 2, 1, 0, 4], "strangers are alone"
    assert [unit_of(["a", "a"]), unit_of(["a", None]), unit_of([None])] == ["patient", "patient", "sample"]
