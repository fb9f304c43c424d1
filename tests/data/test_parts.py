"""A part of a data set: what a case is given, apart from all else and not to be changed."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from btlib.data import load_dataset
from btlib.data.dataset import Dataset, Samples
from btlib.data.lazy_rows import LazyRows
from btlib.data.task import Task
from btlib.errors import DataError

AT = np.array([5, 2, 7, 0])
Make = Callable[..., Dataset]


@pytest.fixture
def dataset(make_dataset: Make) -> Dataset:
    return replace(make_dataset(8, size=16), volumes=tuple(f"V{i // 2}" for i in range(8)))


def test_order_is_kept(dataset: Dataset):
    """Of every field, whatever order is asked for."""
    part = dataset.part(AT)
    assert len(part) == 4
    for name in ("images", "masks", "labels", "ids"):
        found, whole = getattr(part, name), getattr(dataset, name)
        assert found.dtype == whole.dtype, name
        assert np.array_equal(np.asarray(found), whole[AT]), name
    assert part.patients == tuple(dataset.patients[i] for i in AT)
    assert part.volumes == tuple(dataset.volumes[i] for i in AT)
    assert (part.task, part.scaling, part.image_size) == (dataset.task, dataset.scaling, dataset.image_size)
    assert part.strata.tolist() == part.labels.tolist()


def test_it_is_no_data_set(dataset: Dataset):
    """It does not know of the others: no cohort, no folder, no identity of the whole."""
    part = dataset.part(AT)
    assert type(part) is Samples
    held = [getattr(part, field.name) for field in fields(part)]
    assert not any(value is dataset for value in held)
    assert not {"cohort", "whole", "folder", "truth_fingerprint"} & {*dir(part)}


def test_nothing_of_it_can_be_written_to(dataset: Dataset):
    part = dataset.part(AT)
    for values in (part.labels, part.ids, part.images, part.masks):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = values[1]
    for values in (part.labels, part.images):
        with pytest.raises((ValueError, TypeError), match="read-only"):
            values += 1
    with pytest.raises(AttributeError):
        part.labels = dataset.labels  # type: ignore[misc]


def test_what_lies_behind_stays_as_it_is(dataset: Dataset):
    """Whatever is done to what a part gives; and the data set itself is not made read-only by it."""
    before = dataset.fingerprint
    images, masks = dataset.images.copy(), dataset.masks.copy()
    part = dataset.part(AT)
    for values in (part.images, part.masks):
        assert isinstance(values, LazyRows)
        for given in (values[0], values[1:], values[:, 0], values[[0, 1]], np.asarray(values), next(iter(values))):
            given[...] = 1
    part.labels.copy()[:] = 0
    assert np.array_equal(dataset.images, images)
    assert np.array_equal(dataset.masks, masks)
    assert replace(dataset).fingerprint == before
    for own in (dataset.labels, dataset.ids, dataset.images, dataset.masks):
        assert own.flags.writeable


def test_labels_and_ids_are_its_own(dataset: Dataset):
    """Also where all are asked for as they stand, which NumPy could give as views."""
    part = dataset.part(np.arange(8))
    assert not np.shares_memory(part.labels, dataset.labels)
    assert not np.shares_memory(part.ids, dataset.ids)
    labels = part.labels.tolist()
    dataset.labels[:] = 0
    assert part.labels.tolist() == labels


def test_a_part_of_a_part(dataset: Dataset):
    part = dataset.part(AT).part(np.array([3, 0]))
    assert part.ids.tolist() == dataset.ids[[0, 5]].tolist()
    assert np.array_equal(np.asarray(part.images), dataset.images[[0, 5]])
    assert (part.patients, part.volumes) == ((dataset.patients[0], dataset.patients[5]), ("V0", "V2"))
    with pytest.raises(DataError, match="Samples: expected positions 0…1"):
        part.part(np.array([2]))


def test_a_part_may_be_empty(dataset: Dataset):
    """As validation samples may be."""
    for nothing in (np.array([], dtype=np.int64), []):
        part = dataset.part(nothing)
        assert (len(part), part.images.shape, part.masks.shape) == (0, (0, 1, 16, 16), (0, 1, 16, 16))
        assert (part.labels.tolist(), part.ids.tolist(), part.patients) == ([], [], ())
        assert part.has_structure(np.arange(0)).tolist() == []


@pytest.mark.parametrize("positions", [[-1], [8], [[0, 1]], [0.0], [True] * 8], ids=str)
def test_a_part_of_what_is_not_there(positions: list[object], dataset: Dataset):
    with pytest.raises(DataError, match="Dataset: expected positions 0…7"):
        dataset.part(np.array(positions))


def test_no_sample_stands_in_it_twice(dataset: Dataset):
    """It would count twice, and its id would be that of two."""
    with pytest.raises(DataError, match=r"Samples\.ids: expected unique texts"):
        dataset.part(np.array([1, 2, 1]))


def test_structures_are_those_of_the_part(dataset: Dataset):
    masks = dataset.masks.copy()
    masks[2] = False
    part = replace(dataset, masks=masks).part(AT)
    assert part.has_structure(np.arange(4)).tolist() == [True, False, True, True]
    assert part.has_structure(np.array([3, 1])).tolist() == [True, False]


def test_without_classes_there_are_no_labels(dataset: Dataset):
    task = Task(name="t", structures=("tumour",), channels=("x",))
    part = replace(dataset, task=task, labels=None, volumes=None).part(AT)
    assert (part.labels, part.volumes, part.strata.tolist()) == (None, None, [0, 0, 0, 0])


def test_pixels_of_a_cached_data_set_are_read_when_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from btlib.data.checked_array import CheckedArray

    dataset = load_dataset(folder, 24)
    asked: list[object] = []
    read = CheckedArray.__getitem__
    monkeypatch.setattr(CheckedArray, "__getitem__", lambda self, key: asked.append(key) or read(self, key))
    part = dataset.part(np.array([4, 1]))
    assert (len(part), part.images.shape, asked) == (2, (2, 1, 24, 24), [])
    one = part.images[1]
    assert [np.asarray(key).tolist() for key in asked] == [[1]]
    assert np.array_equal(one, dataset.images[1])
    assert one.flags.writeable
