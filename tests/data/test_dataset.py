from dataclasses import fields, replace

import numpy as np
import pytest

from btlib.data import load_dataset, read_slice
from btlib.data.dataset import Dataset
from btlib.data.digest import image_digest, mask_digest
from btlib.data.preprocess import prepare_image, prepare_mask
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
    make_slice(folder / "13.mat", origin="phantom")
    with pytest.raises(DataError, match=r"2 of 8 slices are phantoms, the first of them 12\.mat"):
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
    """What there is one of for each slice is taken from the same rows, all else stays."""
    dataset = replace(
        dataset_of([0, 1, 2, 1]),
        masks=np.random.default_rng(0).random((4, 2, 2)) > 0.5,
        image_digests=np.arange(4, dtype=np.uint64) + 70,
        mask_digests=np.arange(4, dtype=np.uint64) + 90,
        patient_source="files",
        independent=True,
    )
    at = np.array([3, 0])
    part = dataset.subset(at)
    for field in fields(Dataset):
        before, after = getattr(dataset, field.name), getattr(part, field.name)
        if isinstance(before, np.ndarray):
            assert after.tolist() == before[at].tolist(), field.name
        elif field.name == "patients":
            assert after == ("P3", "P0")
        elif field.name != "cohort":
            assert after == before, field.name


def test_a_part_knows_the_whole_that_it_is_a_part_of():
    """Also a part of a part: folds are made of everyone."""
    dataset = dataset_of([0, 1, 2, 1])
    part = dataset.subset(np.array([3, 0, 1]))
    for one in (dataset, part, part.subset(np.array([1]))):
        assert (one.whole.patients, one.whole.labels.tolist()) == (dataset.patients, [0, 1, 2, 1])
    assert dataset.subset(np.arange(4)) is dataset
    assert dataset.subset(np.array([3, 2, 1, 0])).numbers.tolist() == [40, 30, 20, 10]


OTHER = {
    "images": np.zeros((4, 2, 2), np.float32),
    "masks": np.zeros((4, 2, 2), bool),
    "labels": np.array([1, 1, 2, 1]),
    "numbers": np.array([10, 20, 30, 41]),
    "patients": ("P0", "P1", "P2", None),
    "original_areas": np.zeros(4, np.int64),
    "image_digests": np.arange(4, dtype=np.uint64),
    "mask_digests": np.arange(4, dtype=np.uint64),
}


@pytest.mark.parametrize("field", OTHER)
def test_what_the_fingerprints_are_of(field):
    before = dataset_of([0, 1, 2, 1])
    after = replace(before, **{field: OTHER[field]})
    truth = field in ("masks", "mask_digests", "labels", "numbers")
    inputs = field in ("images", "image_digests")
    assert (after.truth_fingerprint != before.truth_fingerprint) == truth
    assert (after.input_fingerprint != before.input_fingerprint) == inputs
    assert (after.fingerprint != before.fingerprint) == (truth or inputs)


def test_stored_digests_stand_for_what_they_are_of():
    """What a cached entry stores is not computed again, and is the same."""
    plain = dataset_of([0, 1, 2, 1])
    stored = replace(
        plain,
        image_digests=np.array([image_digest(image) for image in plain.images], np.uint64),
        mask_digests=np.array([mask_digest(mask) for mask in plain.masks], np.uint64),
    )
    assert stored.truth_fingerprint == plain.truth_fingerprint
    assert stored.input_fingerprint == plain.input_fingerprint
    assert replace(stored, images=plain.images + 1).input_fingerprint == plain.input_fingerprint


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


def test_limit_spreads_over_the_file_order():
    dataset = dataset_of([1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1])  # four of the first, eight of the second
    assert (dataset.limit(6).numbers // 10 - 1).tolist() == [0, 1, 3, 6, 7, 10]


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


@pytest.mark.parametrize("field", ["images", "masks", "labels", "numbers", "original_areas", "patients"])
def test_fields_that_do_not_fit_each_other(field):
    """One row too few, one too many."""
    dataset = dataset_of([0, 1])
    value = getattr(dataset, field)
    for wrong in (value[:1], (*value, *value) if field == "patients" else np.concatenate([value, value])):
        with pytest.raises(DataError, match="expected"):
            replace(dataset, **{field: wrong})


@pytest.mark.parametrize("field", ["images", "masks"])
def test_slices_are_squares_of_the_size(field):
    for shape in ((2, 2, 3), (2, 3, 2), (2, 3, 3), (2, 4)):
        with pytest.raises(DataError, match=rf"Dataset\.{field}: expected shape \(2, 2, 2\), got"):
            replace(dataset_of([0, 1]), **{field: np.zeros(shape, getattr(dataset_of([0, 1]), field).dtype)})
