"""The official split of a data set: as stated, with validation samples of whole patients where none are stated."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.data.dataset import Dataset
from btlib.errors import BtlibWarning, SplitError
from btlib.splits import make_split
from btlib.splits.official import official

Make = Callable[..., Dataset]


def test_it_is_what_is_stated(make_dataset: Make) -> None:
    parts = ("test", "train", "test", "val", "test", "train")
    dataset = replace(make_dataset(6, size=16), official=parts)
    split = make_split("official", dataset)
    assert [split.train.tolist(), split.val.tolist(), split.test.tolist()] == [[1, 5], [3], [0, 2, 4]]
    backwards = official(dataset.subset(np.arange(6)[::-1]))
    assert [backwards.train.tolist(), backwards.val.tolist()] == [[0, 4], [2]]


@given(st.lists(st.tuples(st.sampled_from("ABCDEFGHIJKL"), st.booleans()), min_size=4, max_size=40), st.booleans())
def test_validation_samples_are_whole_patients_of_the_training_set(
    make_dataset: Make, drawn: list[tuple[str, bool]], unknown: bool
) -> None:
    parts = ("train", "train", "test", *("train" if part else "test" for _, part in drawn[3:]))
    patients = ("X", "Y", "Z", *(None if unknown and k % 3 == 0 else p for k, (p, _) in enumerate(drawn[3:])))
    dataset = replace(make_dataset(len(parts), size=16), official=parts, patients=patients)
    split = official(dataset)
    assert split.test.tolist() == [i for i, part in enumerate(parts) if part == "test"]
    assert sorted([*split.train, *split.val]) == [i for i, part in enumerate(parts) if part == "train"]
    whose = [{patients[i] for i in at} - {None} for at in (split.train, split.val)]
    assert not whose[0] & whose[1]
    assert 1 <= len(split.val) <= len(split.train) + max(np.unique([p or "" for p in patients], return_counts=True)[1])


def test_a_tenth_of_many_patients_validates(make_dataset: Make) -> None:
    dataset = replace(make_dataset(50, size=16), patients=tuple(f"P{i // 2}" for i in range(50)))
    dataset = replace(dataset, official=("train",) * 40 + ("test",) * 10)
    assert len(official(dataset).val) == 4


def test_one_patient_does_not_validate(make_dataset: Make) -> None:
    dataset = replace(make_dataset(4, size=16), patients=("P",) * 4, official=("train", "train", "train", "test"))
    assert (len(official(dataset).train), len(official(dataset).val)) == (3, 0)


def test_without_one_the_ways_out_are_said(make_dataset: Make) -> None:
    with pytest.raises(SplitError, match=r"no official split\n.*column split to metadata.csv, or use patient-5fold-1"):
        make_split("official", make_dataset(6, size=16))
    with pytest.raises(SplitError, match="expected train, val or test, got 'dev'"):
        official(replace(make_dataset(2, size=16), official=("dev", "train")))
    with pytest.raises(SplitError, match="no sample is left for train"):
        official(replace(make_dataset(2, size=16), official=("test", "test")))


def test_another_split_of_data_that_have_one_is_told(make_dataset: Make) -> None:
    dataset = replace(make_dataset(6, size=16), official=("train",) * 4 + ("test",) * 2)
    with pytest.warns(BtlibWarning, match="official split, which is not used; select it with --bt-split official"):
        make_split("slice-seed42", dataset)
