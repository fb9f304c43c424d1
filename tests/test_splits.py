import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btlib import splits
from btlib.data.dataset import Dataset
from btlib.errors import BtlibWarning, SplitError, UnknownNameError

Make = Callable[..., Dataset]


@pytest.mark.parametrize("n", [5, 6, 10, 99, 600, 3064])
def test_slice_seed42_is_torchs_random_split(n):
    torch = pytest.importorskip("torch")
    n_test = int(0.2 * n)
    n_val = int(0.1 * (n - n_test))
    lengths = [n - n_test - n_val, n_val, n_test]
    theirs = torch.utils.data.random_split(range(n), lengths, generator=torch.Generator().manual_seed(42))
    ours = splits.slice_seed42(n)
    for part, subset in zip((ours.train, ours.val, ours.test), theirs, strict=True):
        assert part.tolist() == list(subset.indices)


def test_the_thesis_has_2207_245_and_612():
    split = splits.slice_seed42(3064)
    assert [len(part) for part in (split.train, split.val, split.test)] == [2207, 245, 612]
    assert split.fingerprint == splits.slice_seed42(3064).fingerprint != splits.slice_seed42(3063).fingerprint


@given(st.integers(5, 400))
@settings(max_examples=25)
def test_every_slice_stands_in_one_part(n):
    split = splits.slice_seed42(n)
    assert sorted(np.concatenate([split.train, split.val, split.test]).tolist()) == list(range(n))


def test_too_few_slices_for_a_test_set():
    with pytest.raises(SplitError, match="no slice is left for test"):
        splits.slice_seed42(4)


def test_test_slices_in_the_training_set_are_refused():
    with pytest.raises(SplitError, match="1 slices stand in it more than once, first position 2"):
        splits.Split("leaky", np.array([0, 1, 2]), np.array([3]), np.array([2, 4]))


@pytest.mark.parametrize(
    "test", [np.array([0.5]), np.array([-1]), np.array([[4]])], ids=["not whole", "negative", "two axes"]
)
def test_what_are_no_positions_is_refused(test):
    with pytest.raises(SplitError, match="test: expected positions from 0"):
        splits.Split("odd", np.array([0, 1]), np.array([], int), test)


def test_a_fingerprint_is_of_name_and_positions():
    a = splits.Split("a", np.array([0, 1]), np.array([2]), np.array([3]))
    assert a.fingerprint == splits.Split("a", np.array([0, 1]), np.array([2]), np.array([3])).fingerprint
    assert a.fingerprint != splits.Split("b", np.array([0, 1]), np.array([2]), np.array([3])).fingerprint
    assert a.fingerprint != splits.Split("a", np.array([1, 0]), np.array([2]), np.array([3])).fingerprint


def test_patient_folds_keep_patients_apart_and_test_each_slice_once(make_dataset: Make):
    dataset = make_dataset(120)
    tested = []
    for k in range(1, 6):
        split = splits.make_split(f"patient-5fold-{k}", dataset)
        people = [{dataset.patients[i] for i in part} for part in (split.train, split.val, split.test)]
        assert not people[0] & people[1]
        assert not people[0] & people[2]
        assert not people[1] & people[2]
        tested += split.test.tolist()
        shares = np.bincount(dataset.labels[split.test], minlength=3) / len(split.test)
        assert abs(shares - 1 / 3).max() < 0.15
    assert sorted(tested) == list(range(120))


def test_a_patient_split_without_patient_ids_says_so(make_dataset: Make):
    with pytest.raises(SplitError, match=r"patient-5fold-2: 24 of 24 slices have no patient id.*\n.*slice-seed42"):
        splits.make_split("patient-5fold-2", make_dataset(patients=False))


def test_fewer_patients_than_folds(make_dataset: Make):
    with pytest.raises(SplitError, match="at least 5 patients, got 4"):
        splits.make_split("patient-5fold-1", make_dataset(8))


def test_cvind_folds_follow_the_file(tmp_path, make_dataset: Make):
    from scipy.io import savemat

    folds = np.array([1, 2, 3, 4, 5] * 50)
    (tmp_path / "data").mkdir()
    savemat(tmp_path / "cvind.mat", {"cvind": folds[:, None]})
    dataset = replace(make_dataset(20), folder=tmp_path / "data")  # numbers 10, 20 … 200: all of them in fold 5
    dataset = replace(dataset, numbers=np.arange(3, 23))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BtlibWarning)  # of classes absent in so small a fold
        split = splits.make_split("cvind-3", dataset)
    assert [folds[n - 1] for n in dataset.numbers[split.test]] == [3] * 4
    assert [folds[n - 1] for n in dataset.numbers[split.val]] == [4] * 4
    assert len(split.train) == 12


def test_cvind_without_its_file(tmp_path, make_dataset: Make):
    with pytest.raises(SplitError, match=r"cvind-1: needs cvind\.mat; looked in "):
        splits.make_split("cvind-1", replace(make_dataset(), folder=tmp_path))


def test_a_split_nobody_knows_offers_the_nearest(make_dataset: Make):
    with pytest.raises(UnknownNameError, match="did you mean 'slice-seed42'"):
        splits.make_split("slice-seed43", make_dataset())


def test_a_test_set_without_a_class_is_warned_of(make_dataset: Make):
    dataset = make_dataset(60)
    kept_back = int(splits.make_split("patient-5fold-1", dataset).train[0])
    rare = replace(dataset, labels=np.where(np.arange(60) == kept_back, 2, 0))
    with pytest.warns(BtlibWarning, match=r"no test slice of class \[2\]"):
        _ = [splits.make_split(f"patient-5fold-{k}", rare) for k in range(1, 5)]  # the slice is in one of them at most


@given(st.lists(st.integers(0, 2), min_size=5, max_size=400))
@settings(max_examples=50)
def test_blocks_have_the_counts_of_the_thesis_by_type(labels: list[int]):
    types = np.array(labels, dtype=np.int64)
    ours, theirs = splits.block_seed42(types), splits.slice_seed42(len(types))
    assert sorted(np.concatenate([ours.train, ours.val, ours.test]).tolist()) == list(range(len(types)))
    for part in ("train", "val", "test"):
        counts = [np.bincount(types[getattr(s, part)], minlength=3).tolist() for s in (ours, theirs)]
        assert counts[0] == counts[1]


def test_test_stretches_stand_between_validation_stretches():
    """As many slices as the dataset has, of each type in one run, as they nearly are there."""
    types = np.repeat([0, 1, 2], [708, 1426, 930])
    split = splits.make_split("block-seed42", _labelled(types))
    kind = np.zeros(3064, dtype=int)
    kind[split.val], kind[split.test] = 1, 2
    assert [len(part) for part in (split.train, split.val, split.test)] == [2207, 245, 612]
    edges = np.flatnonzero(np.diff(kind) != 0)
    beside = {frozenset((int(kind[i]), int(kind[i + 1]))) for i in edges if types[i] == types[i + 1]}
    assert frozenset((0, 2)) not in beside, "a test slice beside a training slice"
    starts = np.flatnonzero((kind == 2) & (np.roll(kind, 1) != 2))
    assert 7 <= len(starts) <= 10
    assert split.fingerprint == splits.block_seed42(types).fingerprint != splits.slice_seed42(3064).fingerprint


def _labelled(types: np.ndarray) -> Dataset:
    n = len(types)
    return Dataset(
        images=np.zeros((n, 1, 1), dtype=np.float32),
        masks=np.zeros((n, 1, 1), dtype=bool),
        labels=types,
        numbers=np.arange(1, n + 1),
        patients=(None,) * n,
        original_areas=np.ones(n, dtype=np.int64),
        origin="phantom",
        scaling="thesis",
        image_size=1,
        folder=None,
        fingerprint="labels alone",
    )
