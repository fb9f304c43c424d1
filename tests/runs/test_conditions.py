"""What is put down of how numbers were made: of the test samples, and of their patients."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import PHANTOM
from btlib.data.task import Task
from btlib.protocol import Protocol
from btlib.results import Conditions, PatientFacts
from btlib.runs.execute import conditions, patient_facts
from btlib.splits import Split


def split_of(train: list[int], val: list[int], test: list[int]) -> Split:
    return Split("mine", np.array(train), np.array(val, int), np.array(test))


def test_conditions_are_of_the_test_slices_under_the_protocol(dataset: Dataset):
    """A type that no test sample has is counted too; size and scaling are the protocol's, not the images'."""
    split = split_of([0, 2, 4, 5], [1, 6], [20, 3, 9])  # of types 2, 0, 0
    dataset = replace(dataset, independent=True, patient_source="table")
    protocol = Protocol(image_size=64, scaling="percentile", threshold=0.4)
    found = conditions(dataset, split, protocol)
    assert found == Conditions(
        task=PHANTOM,
        truth_fingerprint=dataset.truth_fingerprint,
        input_fingerprint=dataset.input_fingerprint,
        split_name="mine",
        split_fingerprint=split.fingerprint,
        n_test=3,
        test_class_counts=[2, 0, 1],
        image_size=64,
        scaling="percentile",
        threshold=0.4,
        epsilon=1e-6,
        patients=PatientFacts(source="table", n_test=3, seen=1),
        independent=True,
    )
    assert len({found.truth_fingerprint, found.input_fingerprint, found.split_fingerprint}) == 3


@pytest.mark.parametrize(
    ("patients", "expected"),
    [
        ("aabb ccdd", (2, 0)),
        ("aabb cccd", (2, 0)),
        ("aabb aacd", (3, 2)),  # samples are counted, not patients
        ("aabb aaab", (2, 4)),
        ("aacb ccdd", (2, 2)),  # the third trains
        ("aaac ccdd", (2, 0)),  # the fourth validates, which is not seen
        ("?abb ccdd", None),
        ("aabb cc?d", None),
        ("aab? ccdd", (2, 0)),
    ],
)
def test_whose_the_test_slices_are(patients: str, expected: tuple[int, int] | None, dataset: Dataset):
    """Three train, the fourth validates, the last four test; one of them is unknown where it is "?"."""
    ids = tuple(None if name == "?" else name for name in patients.replace(" ", ""))
    dataset = replace(dataset.subset(np.arange(1, 9)), patients=ids)
    found = patient_facts(dataset, split_of([0, 1, 2], [3], [4, 5, 6, 7]))
    assert (None if found is None else (found.n_test, found.seen)) == expected
    assert found is None or found.source == "files"


@pytest.mark.parametrize("independent", [False, True])
def test_a_task_without_classes_counts_none_and_may_say_that_samples_are_independent(
    independent: bool, dataset: Dataset
):
    task = Task(name="mine", structures=("tumour",), independent=independent)
    found = conditions(replace(dataset, task=task, labels=None), split_of([0], [1], [2, 3]), Protocol(image_size=32))
    assert (found.task, found.n_test, found.test_class_counts) == (task, 2, [])
    assert found.independent is independent
    with pytest.raises(ValidationError, match="test_class_counts: expected 3 numbers, got 0"):
        Conditions(**dict(found) | {"task": PHANTOM})
