"""Which samples are explained."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib.data.dataset import Dataset
from btlib.errors import OptionError
from btlib.explain.select import per_class, select
from btlib.splits import Split, slice_seed42


@pytest.fixture
def data(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(60, 16)


@pytest.fixture
def split() -> Split:
    return slice_seed42(60)


def unsure(at: np.ndarray) -> np.ndarray:
    """The later a sample stands, the surer."""
    return at / 100


def test_so_many_of_each_class(data: Dataset, split: Split):
    at = select("2 per class", data, split, unsure)
    assert data.labels[at].tolist() == [0, 0, 1, 1, 2, 2]
    assert set(at) <= set(split.test)
    members = [i for i in sorted(split.test) if data.labels[i] == 1]
    assert at[2:4].tolist() == [members[0], members[len(members) // 2]]
    assert np.array_equal(at, select(" 2 per class ", data, split, unsure))


def test_no_more_than_there_are(data: Dataset, split: Split):
    assert sorted(select("99 per class", data, split, unsure)) == sorted(split.test)
    assert per_class(data, np.array([0, 3, 1]), [1, 5, 5]).tolist() == [0, 1]


def test_the_worst(data: Dataset, split: Split):
    assert select("worst 3", data, split, unsure).tolist() == sorted(split.test)[:3]
    assert len(select("worst", data, split, unsure)) == 9


def test_by_id(data: Dataset, split: Split):
    assert select("30, 10,30", data, split, pytest.fail).tolist() == [2, 0]  # also samples that train


def test_samples_with_empty_masks_are_not_chosen(data: Dataset, split: Split):
    masks = data.masks.copy()
    masks[split.test[:-1]] = False
    masks[2] = False
    bare = replace(data, masks=masks)
    assert select("5 per class", bare, split, unsure).tolist() == [split.test[-1]]
    with pytest.raises(OptionError, match="sample 30 has an empty mask at 16 px"):
        select("10,30", bare, split, unsure)
    with pytest.raises(OptionError, match="all test samples have empty masks"):
        select("worst", replace(data, masks=masks & False), split, unsure)


@pytest.mark.parametrize("text", ["best", "0 per class", "worst 0", "10,,20", "-3", "1.5", "", "per class"])
def test_what_is_no_choice(data: Dataset, split: Split, text: str):
    """Ids are any text, so what is neither a choice nor an id is an id that no sample has."""
    with pytest.raises(OptionError, match=r"(?s)there is no sample '.*'.*give 'worst 5' or '3 per class'"):
        select(text, data, split, unsure)


def test_unknown_ids(data: Dataset, split: Split):
    with pytest.raises(OptionError, match=r"(?s)there is no sample '7', '11'.*the 60 ids are 10 … 600"):
        select("10,7,11", data, split, unsure)


def test_ids_that_are_no_numbers(data: Dataset, split: Split):
    named = replace(data, ids=np.array([f"case-{i} left" for i in range(60)]))
    assert select("case-2 left, case-0 left", named, split, pytest.fail).tolist() == [2, 0]


def test_the_least_sure_of_the_test_samples_come_first(data: Dataset, split: Split):
    """By the probability, whatever the order of the split; of equal ones the first in the file order."""
    turned = replace(split, test=split.test[::-1])
    order = sorted(split.test)
    sure = dict(zip(order, (0.5, 0.1, 0.5, 0.9, 0.1, *[0.7] * (len(order) - 5)), strict=True))
    found = select("worst 4", data, turned, lambda at: np.array([sure[i] for i in at]))
    assert found.tolist() == [order[1], order[4], order[0], order[2]]
