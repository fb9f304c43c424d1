"""Phantoms of tasks that are not like the Figshare data, through cache, splits, score and report of numbers."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.data import load_dataset
from btlib.data.dataset import Dataset
from btlib.data.reading import checked
from btlib.data.sample import Sample
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.evaluation import evaluate, summarise
from btlib.splits import make_split
from btlib.types import Predictions

FOUR = Task(
    name="four",
    classes=("meningioma", "glioma", "pituitary", "no tumour"),
    structures=("tumour", "core"),
    channels=("T1", "T2", "FLAIR"),
    synthetic=True,
)
CLASSES_ONLY = Task(name="named", classes=("a", "b"), synthetic=True)
MASKS_ONLY = Task(name="drawn", structures=("lesion",), channels=("T1", "T2"), synthetic=True)


N = 60  # twenty patients, five of each of four classes


class Knows:
    """Finds an image among those of a data set, and says what is true of it."""

    def __init__(self, dataset: Dataset) -> None:
        self.images, self.masks = np.array(dataset.images), np.array(dataset.masks)
        self.classes = None if dataset.labels is None else np.eye(len(dataset.task.classes))[dataset.labels]

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        at = [int(np.abs(self.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        masks = self.masks[at].astype(np.float32) if self.masks.shape[1] else None
        return Predictions(masks, None if self.classes is None else self.classes[at])


@pytest.fixture(scope="module", params=[FOUR, CLASSES_ONLY, MASKS_ONLY], ids=lambda task: task.name)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return load_dataset(PhantomSource(request.param, N, size=48), 32, "percentile")


def test_shapes_are_those_of_the_task(dataset: Dataset) -> None:
    task = dataset.task
    assert dataset.images.shape == (N, len(task.channels), 32, 32)
    assert dataset.masks.shape == (N, len(task.structures), 32, 32)
    assert (dataset.labels is None) == (not task.classes)
    assert dataset.ids[0] == "phantom-1"
    assert dataset.volumes is not None
    assert len(set(dataset.volumes)) == N // 3
    assert len({np.asarray(channel).tobytes() for channel in dataset.images[0]}) == len(task.channels)


def test_a_class_without_a_tumour_has_empty_masks_and_structures_are_nested(dataset: Dataset) -> None:
    if dataset.task.name != FOUR.name:
        assert dataset.has_structure(np.arange(N)).all() == bool(dataset.task.structures)
        return
    healthy = dataset.strata == 3
    assert healthy.sum() == N // 4
    assert not dataset.masks[np.flatnonzero(healthy)].any()
    outer, inner = (np.asarray(dataset.masks)[~healthy, k] for k in (0, 1))
    assert outer.any(axis=(1, 2)).all()
    assert not (inner & ~outer).any()
    assert 0 < inner.sum() < outer.sum()


def test_perfect_predictions_are_perfect(dataset: Dataset) -> None:
    split = make_split("patient-5fold-1", dataset)
    table = evaluate(Knows(dataset), dataset, split.test).samples
    told = summarise(table)
    if dataset.task.structures:
        assert told["dice"]["slice_mean"] == 1
        assert told["dice"]["volume_mean"] == 1
        assert told["hd95"]["undefined"] == int((~dataset.has_structure(split.test)).sum())
    if dataset.task.classes:
        assert told["accuracy"]["slice_mean"] == 1
        assert len(told["confusion"]) == len(told["per_class"]) == len(dataset.task.classes)
    assert list(told["dice/core"]["by_class"]) == list(FOUR.classes) if dataset.task.name == "four" else True


def test_the_second_time_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_dataset(PhantomSource(FOUR, 6, size=32), 16)

    def refuse(*_: Any) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(PhantomSource, "read", refuse)
    again = load_dataset(PhantomSource(FOUR, 6, size=32), 16)
    assert again.fingerprint == first.fingerprint
    assert again.task == FOUR


def test_seed_size_number_and_task_decide_what_is_drawn() -> None:
    usual: dict[str, Any] = {"task": FOUR, "n": 6, "seed": 0, "size": 32, "each": 3}
    changes = ({"seed": 1}, {"size": 40}, {"n": 9}, {"each": 2}, {"task": FOUR.model_copy(update={"name": "other"})})
    signatures = {PhantomSource(**usual | change).signature() for change in ({}, *changes)}
    assert len(signatures) == 1 + len(changes)
    source = PhantomSource(**usual)
    one, other = (PhantomSource(**usual | {"seed": seed}).read(source.samples()[0]) for seed in (0, 1))
    assert not np.array_equal(one.image, other.image)
    again = pickle.loads(pickle.dumps(source)).read(source.samples()[0])
    assert np.array_equal(one.image, again.image)


@pytest.mark.parametrize("change", [{"n": 0}, {"size": 0}, {"each": 0}])
def test_nothing_is_drawn_of_nothing(change: dict[str, int]) -> None:
    with pytest.raises(DataError, match="expected a whole number from 1, got 0"):
        PhantomSource(FOUR, **{"n": 3} | change)


def test_phantoms_are_of_a_simulated_task() -> None:
    with pytest.raises(DataError, match="expected a simulated task"):
        PhantomSource(Task(name="real", classes=("a", "b")), 3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image": np.zeros((2, 8, 8), np.int16)}, "image: expected [3, h, w]"),
        ({"image": np.full((3, 8, 8), np.nan)}, "image: expected finite real numbers"),
        ({"mask": np.zeros((2, 8, 9), bool)}, "mask: expected bool (2, 8, 8)"),
        ({"mask": np.zeros((2, 8, 8), np.uint8)}, "mask: expected bool (2, 8, 8)"),
        ({"label": None}, "label: got None, but the task 'four' has 4 classes"),
        ({"label": 4}, "label: expected 0…3, got 4"),
    ],
)
def test_a_sample_of_another_task_is_refused_by_name(change: dict[str, Any], told: str) -> None:
    usual: dict[str, Any] = {"image": np.zeros((3, 8, 8), np.int16), "mask": np.zeros((2, 8, 8), bool), "label": 3}
    sample = Sample("s1", patient=None, **usual | change)
    with pytest.raises(DataError) as error:
        checked(sample, "s1", FOUR, "here")
    assert told in str(error.value)
    assert "here, sample s1" in str(error.value)


def test_another_sample_than_was_asked_for_is_refused() -> None:
    source = PhantomSource(FOUR, 3, size=32)
    with pytest.raises(DataError, match="id: expected 'phantom-1', got 'phantom-2'"):
        checked(source.read(source.samples()[1]), "phantom-1", FOUR, "here")


def test_a_source_whose_sample_is_of_another_task_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = PhantomSource(FOUR, 3, size=32)
    right = source.read
    monkeypatch.setattr(source, "read", lambda info: _cut(right(info)))
    with pytest.raises(DataError, match="3 faulty files"):
        load_dataset(source, 16)


def _cut(sample: Sample) -> Sample:
    return Sample(sample.id, sample.image[:1], sample.mask, sample.label, sample.patient)
