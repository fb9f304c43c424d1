"""Random tumour types: one a patient, told apart from the true ones, to be learned from nothing but patients."""

from collections.abc import Callable

import numpy as np

from btlib.data.dataset import Dataset
from btlib.data.random_labels import RUN, groups, with_random_labels

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


def test_without_patients_neighbours_of_one_type_stand_together(make_dataset: Make):
    dataset = make_dataset(6 * RUN + 6, patients=False)
    found = groups(dataset)
    assert sorted(np.bincount(found).tolist()) == [2, 2, 2] + [RUN] * 6
    for label in range(3):
        ours = found[dataset.labels == label]
        assert (np.diff(ours) >= 0).all()
        assert len(set(ours.tolist())) == 3
