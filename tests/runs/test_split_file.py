"""A split written out by sample number and patient: each part in its place."""

from dataclasses import replace

import numpy as np
import pytest

from btlib.data.dataset import Dataset
from btlib.runs.split import Part, split_file
from btlib.splits import Split, cohort_folds

SPLIT = Split("patient-5fold-2", np.array([9, 1, 8]), np.array([4]), np.array([22, 0, 23]))


def test_parts_are_in_the_order_of_the_split_and_patients_sorted(dataset: Dataset):
    found = split_file(SPLIT, dataset)
    assert (found.name, found.fingerprint) == ("patient-5fold-2", SPLIT.fingerprint)
    assert found.train == Part(ids=["100", "20", "90"], patients=["P000", "P004"])
    assert found.val == Part(ids=["50"], patients=["P002"])
    assert found.test == Part(ids=["230", "10", "240"], patients=["P000", "P011"])


def test_many_patients_are_named_once_in_the_order_of_their_names(dataset: Dataset):
    split = Split("mine", np.arange(2, 40)[::-1], np.array([0]), np.array([1]))
    assert split_file(split, dataset).train.patients == [f"P{k:03d}" for k in range(1, 20)]


@pytest.mark.parametrize("unknown", [1, 4, 22])
def test_a_part_with_a_stranger_names_no_patients(unknown: int, dataset: Dataset):
    ids = tuple(None if i == unknown else patient for i, patient in enumerate(dataset.patients))
    found = split_file(SPLIT, replace(dataset, patients=ids))
    named = {part: getattr(found, part).patients is not None for part in ("train", "val", "test")}
    assert named == {"train": unknown != 1, "val": unknown != 4, "test": unknown != 22}
    assert found.folds is None


def test_folds_are_of_everyone_in_the_whole_data_set(dataset: Dataset):
    part = dataset.subset(np.arange(24))
    found = split_file(SPLIT, part)
    assert found.folds is not None
    assert found.folds == split_file(SPLIT, dataset).folds == dict(cohort_folds(dataset.whole, 5, "any"))
    assert found.folds.keys() == {f"P{k:03d}" for k in range(20)}
    stranger = replace(part.whole, patients=(*part.whole.patients[:-1], None))
    assert split_file(SPLIT, replace(part, cohort=stranger)).folds is None


def test_with_fewer_patients_than_folds_there_are_none(dataset: Dataset):
    few = replace(dataset, patients=tuple("abcd"[i % 4] for i in range(40)))
    assert split_file(SPLIT, few).folds is None
    five = replace(dataset, patients=tuple("abcde"[i % 5] for i in range(40)))
    assert sorted((split_file(SPLIT, five).folds or {}).values()) == [1, 2, 3, 4, 5]
