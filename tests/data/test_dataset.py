from dataclasses import fields, replace

import numpy as np
import pytest

from btlib.data import load_dataset, read_slice
from btlib.data.dataset import Dataset
from btlib.data.digest import image_digest, mask_digest
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import DataError, UnknownNameError


def dataset_of(labels):
    n = len(labels)
    return Dataset(
        task=FIGSHARE,
        images=np.arange(n * 4, dtype=np.float32).reshape(n, 1, 2, 2),
        masks=np.ones((n, 1, 2, 2), bool),
        labels=np.array(labels, np.int64),
        ids=(np.arange(1, n + 1) * 10).astype(str),
        patients=tuple(f"P{i}" for i in range(n)),
        volumes=tuple(f"V{i}" for i in range(n)),
        scaling="thesis",
        image_size=2,
        folder=None,
    )


def test_every_row_belongs_to_its_file(folder):
    dataset = load_dataset(folder, 24)
    assert dataset.ids.tolist() == ["1", "2", "3", "7", "10", "11"]
    assert (len(dataset), dataset.task, dataset.scaling, dataset.image_size) == (6, FIGSHARE, "thesis", 24)
    for i, number in enumerate(dataset.ids):
        s = read_slice(folder / f"{number}.mat")
        assert np.array_equal(dataset.images[i], [prepare_image(s.image, 24)])
        assert np.array_equal(dataset.masks[i], [prepare_mask(s.mask, 24)])
        assert (dataset.labels[i], dataset.patients[i]) == (s.label, s.patient)
    assert dataset.images.dtype == np.float32
    assert dataset.masks.dtype == bool
    assert (dataset.labels.dtype, dataset.ids.dtype.kind, dataset.volumes) == (np.int64, "U", None)


def test_percentile_is_another_dataset_of_the_same_content(folder):
    thesis, percentile = load_dataset(folder, 24), load_dataset(folder, 24, "percentile")
    assert thesis.fingerprint == percentile.fingerprint
    assert thesis.images.max() > 1 >= percentile.images.max()
    assert percentile.scaling == "percentile"


def test_phantoms_among_real_slices_are_refused(folder, make_slice):
    make_slice(folder / "12.mat", origin="phantom")
    make_slice(folder / "13.mat", origin="phantom")
    with pytest.raises(DataError, match="2 faulty files") as caught:
        load_dataset(folder, 24)
    for name in ("12.mat", "13.mat"):
        assert f"{name}: expected a slice of 'figshare' like 1.mat, found a slice of 'phantom'" in str(caught.value)
    (folder / "13.mat").unlink()
    with pytest.raises(DataError, match="found a slice of 'phantom'") as caught:
        load_dataset(folder, 24)
    assert caught.value.where == str(folder / "12.mat")
    assert caught.value.hint == "use separate folders for phantom and real slices"


def test_all_faulty_files_in_one_error(folder):
    for name in ("2.mat", "10.mat"):
        (folder / name).write_bytes(b"nothing")
    with pytest.raises(DataError, match="2 faulty files") as caught:
        load_dataset(folder, 24)
    assert "2.mat" in str(caught.value)
    assert "10.mat" in str(caught.value)


def test_the_first_file_is_one_fault_among_others(folder):
    """Though it is the one that is asked for the task; the next that can be read says it then."""
    for name in ("1.mat", "10.mat"):
        (folder / name).write_bytes(b"nothing")
    with pytest.raises(DataError, match="2 faulty files") as caught:
        load_dataset(folder, 24)
    assert "  1.mat: " in str(caught.value)
    assert "  10.mat: " in str(caught.value)


def test_a_long_list_of_faults_is_cut_with_the_count(tmp_path):
    for number in range(1, 31):
        (tmp_path / f"{number}.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"30 faulty files(?s:.*)and 10 more"):
        load_dataset(tmp_path, 24)


def test_unknown_scaling(folder):
    with pytest.raises(UnknownNameError, match="percentile"):
        load_dataset(folder, 24, "percentil")


def test_subset_takes_every_field():
    """What there is one of for each sample is taken from the same rows, all else stays."""
    dataset = replace(
        dataset_of([0, 1, 2, 1]),
        masks=np.random.default_rng(0).random((4, 1, 2, 2)) > 0.5,
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
        elif field.name in ("patients", "volumes"):
            assert after == (before[3], before[0])
        elif field.name != "cohort":
            assert after == before, field.name


def test_a_part_knows_the_whole_that_it_is_a_part_of():
    """Also a part of a part: folds are made of everyone."""
    dataset = dataset_of([0, 1, 2, 1])
    part = dataset.subset(np.array([3, 0, 1]))
    for one in (dataset, part, part.subset(np.array([1]))):
        assert (one.whole.patients, one.whole.labels.tolist()) == (dataset.patients, [0, 1, 2, 1])
    assert dataset.subset(np.arange(4)) is dataset
    assert dataset.subset(np.array([3, 2, 1, 0])).ids.tolist() == ["40", "30", "20", "10"]


OTHER = {
    "images": np.zeros((4, 1, 2, 2), np.float32),
    "masks": np.zeros((4, 1, 2, 2), bool),
    "labels": np.array([1, 1, 2, 1]),
    "ids": np.array(["10", "20", "30", "41"]),
    "patients": ("P0", "P1", "P2", None),
    "volumes": None,
    "image_digests": np.arange(4, dtype=np.uint64),
    "mask_digests": np.arange(4, dtype=np.uint64),
}


@pytest.mark.parametrize("field", OTHER)
def test_what_the_fingerprints_are_of(field):
    before = dataset_of([0, 1, 2, 1])
    after = replace(before, **{field: OTHER[field]})
    truth = field in ("masks", "mask_digests", "labels", "ids")
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


@pytest.mark.parametrize("positions", [[-1], [4], [[0, 1]], [1.0], [True, False, True, False]], ids=str)
def test_subset_of_what_is_not_there(positions):
    with pytest.raises(DataError, match="0…3"):
        dataset_of([0, 1, 2, 1]).subset(np.array(positions))


def test_limit_keeps_proportions_and_order():
    dataset = dataset_of([0] * 23 + [1] * 47 + [2] * 30)
    part = dataset.limit(10)
    assert np.bincount(part.labels).tolist() == [2, 5, 3]
    assert (np.diff(part.ids.astype(int)) > 0).all()
    assert part.fingerprint == dataset.limit(10).fingerprint != dataset.limit(11).fingerprint


def test_limit_spreads_over_the_file_order():
    dataset = dataset_of([1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1])  # four of the first, eight of the second
    assert (dataset.limit(6).ids.astype(int) // 10 - 1).tolist() == [0, 1, 3, 6, 7, 10]


def test_limit_keeps_the_rare_class():
    assert np.bincount(dataset_of([0] * 98 + [1, 2]).limit(3).labels).tolist() == [1, 1, 1]


def test_limit_to_all_changes_nothing():
    dataset = dataset_of([0, 2, 2])
    assert dataset.limit(3).fingerprint == dataset.fingerprint
    assert dataset.limit(1).labels.tolist() == [2]


@pytest.mark.parametrize("n", [0, 4, -1])
def test_limit_that_cannot_be(n):
    with pytest.raises(DataError, match=f"1…3 samples, got {n}"):
        dataset_of([0, 1, 2]).limit(n)


@pytest.mark.parametrize("field", ["images", "masks", "labels", "ids", "patients", "volumes"])
def test_fields_that_do_not_fit_each_other(field):
    """One row too few, one too many."""
    dataset = dataset_of([0, 1])
    value = getattr(dataset, field)
    for wrong in (value[:1], (*value, *value) if isinstance(value, tuple) else np.concatenate([value, value])):
        with pytest.raises(DataError, match="expected"):
            replace(dataset, **{field: wrong})


@pytest.mark.parametrize("field", ["images", "masks"])
def test_samples_are_squares_of_the_size(field):
    for shape in ((2, 1, 2, 3), (2, 1, 3, 2), (2, 1, 3, 3), (2, 2, 2), (2, 2, 2, 2), (2, 0, 2, 2)):
        with pytest.raises(DataError, match=rf"Dataset\.{field}: expected shape \(2, 1, 2, 2\), got"):
            replace(dataset_of([0, 1]), **{field: np.zeros(shape, getattr(dataset_of([0, 1]), field).dtype)})


def test_ids_are_text_and_each_is_there_once():
    for wrong in (np.array([10, 20]), np.array(["10", "10"]), np.array(["10", "20"], dtype=object)):
        with pytest.raises(DataError, match=r"Dataset\.ids: expected unique texts, got"):
            replace(dataset_of([0, 1]), ids=wrong)


def test_labels_are_those_of_the_tasks_classes():
    for wrong in ([0, 3], [-1, 0]):
        with pytest.raises(DataError, match=r"Dataset\.labels: expected 0…2, got"):
            replace(dataset_of([0, 1]), labels=np.array(wrong))
    with pytest.raises(DataError, match="one label for each sample if the task has classes, otherwise None"):
        replace(dataset_of([0, 1]), labels=None)
    with pytest.raises(DataError, match="otherwise None"):
        replace(dataset_of([0, 1]), task=Task(name="masks", structures=("tumour",), channels=("x",)))


def of_shape(channels, structures, classes, n=5):
    """A data set of a task of this shape."""
    names = tuple("abcdef")
    rng = np.random.default_rng(0)
    return Dataset(
        task=Task(name="t", classes=names[:classes], structures=names[:structures], channels=names[:channels]),
        images=rng.random((n, channels, 4, 4), np.float32),
        masks=rng.random((n, structures, 4, 4)) > 0.9,
        labels=np.arange(n) % classes if classes else None,
        ids=np.array([f"case {i}" for i in range(n)]),
        patients=(None,) * n,
        scaling="thesis",
        image_size=4,
    )


@pytest.mark.parametrize(("channels", "structures", "classes"), [(1, 3, 0), (4, 0, 2), (2, 2, 4)])
def test_a_task_of_any_shape(channels, structures, classes):
    """Without classes all are of one stratum; without structures nothing is to be seen in a sample."""
    dataset = of_shape(channels, structures, classes)
    assert dataset.strata.tolist() == (dataset.labels.tolist() if classes else [0] * 5)
    seen = dataset.has_structure(np.array([4, 0]))
    assert (seen.dtype, seen.tolist()) == (bool, [bool(dataset.masks[i].any()) for i in (4, 0)])
    few = dataset.limit(3)
    assert (few.images.shape, few.masks.shape) == ((3, channels, 4, 4), (3, structures, 4, 4))
    assert (few.labels is None) == (not classes)
    assert len({dataset.fingerprint, few.fingerprint, dataset.limit(4).fingerprint}) == 3


def test_an_empty_mask_has_no_structure():
    dataset = of_shape(1, 2, 0)
    masks = np.zeros_like(dataset.masks)
    masks[1, 1, 3, 3] = True
    assert replace(dataset, masks=masks).has_structure(np.arange(5)).tolist() == [False, True, False, False, False]


def test_one_channel_and_one_structure_have_the_digests_of_plain_images():
    """Fingerprints of a data set of the Figshare slices are those that btlib gave before there were channels."""
    dataset = dataset_of([0, 1])
    assert [image_digest(image) for image in dataset.images] == [image_digest(image) for image in dataset.images[:, 0]]
    assert [mask_digest(mask) for mask in dataset.masks] == [mask_digest(mask) for mask in dataset.masks[:, 0]]
    two = np.concatenate([dataset.images, dataset.images], axis=1)
    assert image_digest(two[0]) != image_digest(dataset.images[0])
