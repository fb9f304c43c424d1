"""Random tumour types: one a patient, told apart from the true ones, to be learned from nothing but patients."""

from collections.abc import Callable

import numpy as np

from btlib.data.dataset import Dataset
from btlib.data.neighbours import BLOCK, patient_groups
from btlib.data.random_labels import with_random_labels

Make = Callable[..., Dataset]


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
    assert (with_random_labels(dataset, seed=1).labels != changed.labels).any()


def test_patients_are_told_by_their_ids_or_by_neighbourhood_and_type():
    numbers, labels = np.array([1, BLOCK, BLOCK + 1, 2, 3, 2 * BLOCK]), np.array([0, 0, 0, 1, 0, 0])
    without = patient_groups(numbers, labels, [None] * 6).tolist()
    assert [without.index(g) for g in without] == [0, 0, 2, 3, 0, 2]
    known = patient_groups(numbers, labels, ["b", "a", "b", "a", "c", "c"]).tolist()
    assert [known.index(g) for g in known] == [0, 1, 0, 1, 4, 4]
    assert patient_groups(numbers, labels, ["b", "a", "b", "a", "c", None]).tolist() == without
