from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.data import load_dataset, read_slice
from btlib.data.dataset import Dataset
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.quota import shares
from btlib.errors import DataError, UnknownNameError


def dataset_of(labels):
    n = len(labels)
    return Dataset(
        images=np.arange(n * 4, dtype=np.float32).reshape(n, 2, 2),
        masks=np.ones((n, 2, 2), bool),
        labels=np.array(labels, np.int64),
        numbers=np.arange(1, n + 1) * 10,
        patients=tuple(f"P{i}" for i in range(n)),
        original_areas=np.arange(n) + 100,
        origin="figshare",
        scaling="thesis",
        image_size=2,
        folder=None,
    )


def test_every_row_belongs_to_its_file(folder):
    dataset = load_dataset(folder, 24)
    assert dataset.numbers.tolist() == [1, 2, 3, 7, 10, 11]
    assert (len(dataset), dataset.origin, dataset.scaling, dataset.image_size) == (6, "figshare", "thesis", 24)
    for i, number in enumerate(dataset.numbers):
        s = read_slice(folder / f"{number}.mat")
        assert np.array_equal(dataset.images[i], prepare_image(s.image, 24))
        assert np.array_equal(dataset.masks[i], prepare_mask(s.mask, 24))
        assert (dataset.labels[i], dataset.patients[i], dataset.original_areas[i]) == (s.label, s.patient, s.mask.sum())
    assert dataset.images.dtype == np.float32
    assert dataset.masks.dtype == bool
    assert dataset.labels.dtype == dataset.numbers.dtype == dataset.original_areas.dtype == np.int64


def test_percentile_is_another_dataset_of_the_same_content(folder):
    thesis, percentile = load_dataset(folder, 24), load_dataset(folder, 24, "percentile")
    assert thesis.fingerprint == percentile.fingerprint
    assert thesis.images.max() > 1 >= percentile.images.max()
    assert percentile.scaling == "percentile"


def test_phantoms_among_real_slices_are_refused(folder, make_slice):
    make_slice(folder / "12.mat", origin="phantom")
    with pytest.raises(DataError, match=r"1 of 7 slices are phantoms, the first of them 12\.mat"):
        load_dataset(folder, 24)


def test_all_faulty_files_in_one_error(folder):
    for name in ("2.mat", "10.mat"):
        (folder / name).write_bytes(b"nothing")
    with pytest.raises(DataError, match="2 faulty files") as caught:
        load_dataset(folder, 24)
    assert "2.mat" in str(caught.value)
    assert "10.mat" in str(caught.value)


def test_a_long_list_of_faults_is_cut_with_the_count(tmp_path):
    for number in range(1, 31):
        (tmp_path / f"{number}.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"30 faulty files(?s:.*)and 10 more"):
        load_dataset(tmp_path, 24)


def test_unknown_scaling(folder):
    with pytest.raises(UnknownNameError, match="percentile"):
        load_dataset(folder, 24, "percentil")


def test_subset_takes_every_field():
    dataset = dataset_of([0, 1, 2, 1])
    part = dataset.subset(np.array([3, 0]))
    assert part.numbers.tolist() == [40, 10]
    assert part.labels.tolist() == [1, 0]
    assert part.patients == ("P3", "P0")
    assert part.original_areas.tolist() == [103, 100]
    assert part.images[0, 0].tolist() == [12, 13]
    assert len(part.masks) == 2


def test_subset_fingerprints():
    dataset = dataset_of([0, 1, 2, 1])
    forward, backward = dataset.subset(np.array([0, 3])), dataset.subset(np.array([3, 0]))
    assert forward.fingerprint == dataset.subset(np.array([0, 3])).fingerprint
    assert len({dataset.fingerprint, forward.fingerprint, backward.fingerprint}) == 3
    assert replace(dataset, masks=~dataset.masks).subset(np.array([0, 3])).fingerprint != forward.fingerprint
    assert dataset.subset(np.arange(4)).fingerprint == dataset.fingerprint


@pytest.mark.parametrize("positions", [[-1], [4], [[0, 1]]])
def test_subset_of_what_is_not_there(positions):
    with pytest.raises(DataError, match="0…3"):
        dataset_of([0, 1, 2, 1]).subset(np.array(positions))


def test_limit_keeps_proportions_and_order():
    dataset = dataset_of([0] * 23 + [1] * 47 + [2] * 30)
    part = dataset.limit(10)
    assert np.bincount(part.labels).tolist() == [2, 5, 3]
    assert (np.diff(part.numbers) > 0).all()
    assert part.fingerprint == dataset.limit(10).fingerprint != dataset.limit(11).fingerprint


def test_limit_keeps_the_rare_class():
    assert np.bincount(dataset_of([0] * 98 + [1, 2]).limit(3).labels).tolist() == [1, 1, 1]


def test_limit_to_all_changes_nothing():
    dataset = dataset_of([0, 2, 2])
    assert dataset.limit(3).fingerprint == dataset.fingerprint
    assert dataset.limit(1).labels.tolist() == [2]


@pytest.mark.parametrize("n", [0, 4, -1])
def test_limit_that_cannot_be(n):
    with pytest.raises(DataError, match=f"1…3 slices, got {n}"):
        dataset_of([0, 1, 2]).limit(n)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6).filter(any), st.data())
def test_shares_add_up_and_never_exceed_what_is_there(weights, data):
    n = data.draw(st.integers(1, sum(weights)))
    parts = shares(weights, n)
    assert sum(parts) == n
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
    if n >= sum(weight > 0 for weight in weights):
        assert all(part >= 1 for part, weight in zip(parts, weights, strict=True) if weight)


def test_fields_that_do_not_fit_each_other():
    with pytest.raises(DataError, match=r"Dataset\.labels"):
        replace(dataset_of([0, 1]), labels=np.array([0]))
    with pytest.raises(DataError, match=r"Dataset\.patients"):
        replace(dataset_of([0, 1]), patients=("P0",))
    with pytest.raises(DataError, match=r"Dataset\.images"):
        replace(dataset_of([0, 1]), image_size=3)
