"""A source that a user writes: arrays in memory, text ids, two channels; through cache, splits and score."""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.data import load_dataset
from btlib.data.dataset import Dataset
from btlib.data.sample import Sample
from btlib.data.source import DatasetSource, SampleInfo, SourceKind
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.evaluation import evaluate, summarise
from btlib.evaluation.aggregate import per_sample
from btlib.registry import Registry
from btlib.splits import make_split
from btlib.types import Predictions

SIZE, N = 16, 30
TASK = Task(name="mine", classes=("small", "large"), structures=("lesion",), channels=("anatomy", "lesions"))


def sample(i: int) -> Sample:
    """One channel shows the class, the other the lesion; every sixth has none."""
    label, mask = i % 2, np.zeros((1, SIZE, SIZE), bool)
    mask[0, i % 5 : i % 5 + 4 + 3 * label, 2:9] = bool(i % 6)
    image = np.stack([np.full((SIZE, SIZE), 100 * (label + 1)), mask[0] * 255]).astype(np.uint8)
    return Sample(f"scan {i}\N{EN DASH}β", image, mask, label, f"person {i // 2}", f"visit {i // 2}")


class Memory(DatasetSource):
    """Samples that lie in memory."""

    default_scaling = "thesis"

    def __init__(self, samples: Sequence[Sample], version: str = "1") -> None:
        self.kept, self.version = {one.id: one for one in samples}, version
        self.reads: list[str] = []
        self.asked = TASK
        self.fault: Exception | None = None
        self.infos = [SampleInfo(one.id, one.id, one.label, one.patient, one.volume) for one in samples]

    @property
    def task(self) -> Task:
        return self.asked

    @property
    def folder(self) -> Path | None:
        return None

    @property
    def place(self) -> str:
        return "memory of the test"

    def samples(self) -> Sequence[SampleInfo]:
        return self.infos

    def signature(self) -> str:
        return self.version

    def read(self, info: SampleInfo) -> Sample:
        self.reads.append(info.id)
        if self.fault is not None and len(self.reads) == 2:
            raise self.fault
        return self.kept[info.key]


class Reader:
    """Reads from one channel what the class is, from the other where the lesion lies."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        label = np.rint(images[:, 0].mean(axis=(1, 2)) * 255 / 100).astype(int) - 1
        return Predictions(images[:, 1], np.eye(2)[label])


class Everywhere:
    """Says that everything is lesion, and all lesions are small."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        return Predictions(np.ones_like(images[:, :1]), np.tile([0.75, 0.25], (len(images), 1)))


@pytest.fixture
def source() -> Memory:
    return Memory([sample(i) for i in range(N)])


def test_what_it_gives_comes_back_in_its_order(source: Memory) -> None:
    dataset = load_dataset(source, SIZE)
    assert source.reads == dataset.ids.tolist() == [f"scan {i}\N{EN DASH}β" for i in range(N)]
    assert dataset.images.shape == (N, 2, SIZE, SIZE)
    for i in range(N):
        given = sample(i)
        assert np.array_equal(dataset.images[i], given.image.astype(np.float32) / np.float32(255))
        assert np.array_equal(dataset.masks[i], given.mask)
    assert dataset.strata.tolist() == [0, 1] * (N // 2)
    assert (dataset.task, dataset.folder, dataset.patient_source) == (TASK, None, "files")
    assert dataset.patients == tuple(f"person {i // 2}" for i in range(N))
    assert dataset.volumes == tuple(f"visit {i // 2}" for i in range(N))


def test_the_second_time_nothing_is_read_until_its_signature_changes(source: Memory) -> None:
    cold = load_dataset(source, SIZE)
    source.reads.clear()
    warm = load_dataset(source, SIZE)
    assert (source.reads, warm.fingerprint) == ([], cold.fingerprint)
    changed = Memory([replace(sample(0), label=1), *(sample(i) for i in range(1, N))], "2")
    anew = load_dataset(changed, SIZE)
    assert len(changed.reads) == N
    assert anew.truth_fingerprint != cold.truth_fingerprint
    assert anew.input_fingerprint == cold.input_fingerprint


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("largest", "scaling", "noted"), [(1, "thesis", 1), (2, "thesis", 0), (1, "percentile", 0)])
def test_images_that_are_scaled_already_are_noted(dtype: Any, largest: int, scaling: Any, noted: int) -> None:
    """Divided by 255 a second time they would be almost black. One dark sample among others is nothing unusual."""

    def scaled(i: int) -> Sample:
        image = np.zeros((2, SIZE, SIZE), dtype)
        image[:, 3:9, i : i + 5] = largest if i == 3 else 1
        return replace(sample(i), image=image)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_dataset(Memory([scaled(i) for i in range(6)]), SIZE, scaling)
    assert [("scaled to 0…1" in str(one.message), "percentile" in str(one.message)) for one in caught] == [
        (True, True)
    ] * noted


def test_worker_processes_read_it_too(source: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = load_dataset(source, SIZE, "percentile")
    monkeypatch.setattr("btlib.data.workers._PARALLEL_FROM", 1)
    monkeypatch.setattr("btlib.data.cache.PREPROCESSING", -1)  # an entry of its own
    source.version = "2"
    together = load_dataset(source, SIZE, "percentile")
    assert together.fingerprint == alone.fingerprint
    assert np.array_equal(np.array(together.images), np.array(alone.images))


def test_a_fold_of_patients_is_scored(source: Memory) -> None:
    dataset = load_dataset(source, SIZE)
    split = make_split("patient-5fold-1", dataset)
    persons = [{dataset.patients[i] for i in part} for part in (split.train, split.val, split.test)]
    assert not persons[0] & persons[2]
    assert not persons[1] & persons[2]
    right = evaluate(Reader(), dataset, split.test).samples
    assert right.id == dataset.ids[split.test].tolist()
    told = summarise(right)
    assert told["dice"]["slice_mean"] == told["accuracy"]["slice_mean"] == 1
    wrong = evaluate(Everywhere(), dataset, split.test).samples
    areas = np.array(dataset.masks)[split.test].sum(axis=(2, 3)).squeeze(1)
    assert (areas == 0).any()
    assert per_sample(wrong, "dice").tolist() == pytest.approx((2 * areas / (areas + SIZE**2)).tolist(), abs=1e-6)
    assert wrong.correct().tolist() == (dataset.strata[split.test] == 0).tolist()


def test_without_patients_there_are_no_folds_of_them() -> None:
    alone = [replace(sample(i), patient=None, volume=None) for i in range(N)]
    dataset = load_dataset(Memory(alone, "alone"), SIZE)
    assert (dataset.patients, dataset.patient_source, dataset.volumes) == ((None,) * N, None, None)


def faults(samples: Sequence[Sample]) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(Memory(samples, "faulty"), SIZE)
    return str(caught.value)


def test_what_is_wrong_with_it_is_told() -> None:
    assert "memory of the test: there are no samples" in faults([])
    short: Any = {"image": sample(1).image[:1]}
    assert "memory of the test, sample scan 1\N{EN DASH}β: image: expected [2, h, w]" in faults(
        [sample(0), replace(sample(1), **short)]
    )


def test_its_patients_may_be_known_otherwise(source: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the marks of its samples, which are stored with them; by default there are none."""
    assert source.mark(sample(0)) == (0, 0)
    monkeypatch.setattr(Memory, "mark", lambda source, one: (2**64 - 1 - one.label, int(one.mask.sum())))
    asked: list[tuple[Any, ...]] = []
    usual = DatasetSource.patients

    def known(source: Memory, task: Task, ids: Any, codes: Any, marks: Any) -> Any:
        asked.append((task, ids.tolist(), marks["signature"].tolist(), marks["area256"].tolist()))
        return usual(source, task, ids, [f"{code}!" for code in codes], marks)

    monkeypatch.setattr(Memory, "patients", known)

    def check(dataset: Dataset) -> None:
        assert dataset.patients == tuple(f"person {i // 2}!" for i in range(N))
        task, ids, signatures, areas = asked.pop()
        assert (task, ids) == (TASK, dataset.ids.tolist())
        assert signatures == [2**64 - 1 - i % 2 for i in range(N)]
        assert areas == [int(sample(i).mask.sum()) for i in range(N)]

    check(load_dataset(source, SIZE))
    source.reads.clear()
    check(load_dataset(source, SIZE))
    assert source.reads == []


def test_a_folder_of_two_kinds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: Registry[SourceKind] = Registry("source")
    for name in ("one", "other", "none"):
        kinds.add(name, SourceKind(lambda folder, own=name: own != "none", lambda folder: Memory([sample(0)])))
    monkeypatch.setattr("btlib.data.load.SOURCES", kinds)
    with pytest.raises(DataError, match="several kinds: one, other"):
        load_dataset(tmp_path, 16)


def test_another_source_of_the_same_signature_is_not_taken_for_it() -> None:
    """Other samples, another task, another class of source: each has data of its own."""
    first = load_dataset(Memory([sample(i) for i in range(6)]), SIZE)
    more = load_dataset(Memory([sample(i) for i in range(8)]), SIZE)
    renamed = Memory([sample(i) for i in range(6)])
    renamed.asked = TASK.model_copy(update={"classes": ("large", "small")})
    assert (len(first), len(more)) == (6, 8)
    assert load_dataset(renamed, SIZE).task.classes == ("large", "small")


@pytest.mark.parametrize("version", ["version 1, of today", "", "\n"])
def test_any_signature_is_found_again(version: str) -> None:
    for expected in (4, 0):
        source = Memory([sample(i) for i in range(4)], version)
        load_dataset(source, SIZE)
        assert len(source.reads) == expected


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": np.int64(1)}, None),
        ({"label": 1.0}, "label: expected a whole number, got 1.0"),
        ({"image": [[[1, 2], [3, 4]]]}, "image: expected a NumPy array, got list"),
        ({"mask": None}, "mask: expected a NumPy array, got NoneType"),
        ({"patient": ""}, "patient: expected text or None, got ''"),
        ({"spacing": (1.0, 0.0)}, "spacing: expected height and width in mm"),
        ({"spacing": (1.0, float("nan"))}, "spacing: expected height and width in mm"),
        ({"spacing": 1.0}, "spacing: expected height and width in mm"),
        ({"volume": 3}, "volume: expected text or None, got 3"),
        ({"patient": "\udce9"}, "patient: expected text or None"),
        ({"image": np.full((2, SIZE, SIZE), 1e300)}, "expected intensities that fit into float32"),
        (KeyError("gone"), "cannot be read: KeyError: 'gone'"),
        (OSError("no file"), "cannot be read: OSError: no file"),
    ],
)
def test_what_a_source_gives_is_told_by_the_sample(change: Any, told: str | None) -> None:
    made = [sample(i) for i in range(4)]
    source = Memory(made, f"{change!r}")
    if isinstance(change, Exception):
        source.fault = change
    else:
        source.kept[made[1].id] = replace(made[1], **change)
    if told is None:
        labels = load_dataset(source, SIZE).labels
        assert labels is not None
        assert labels[1] == 1
        return
    with pytest.warns(RuntimeWarning) if "float32" in told else nullcontext(), pytest.raises(DataError) as error:
        load_dataset(source, SIZE)
    assert told in str(error.value)
    assert "scan 1" in str(error.value)


@pytest.mark.parametrize(("ids", "told"), [([1, 2], "an id must be text, got 1"), (["a", "a"], "the first is 'a'")])
def test_ids_are_checked_before_anything_is_read(ids: list[Any], told: str) -> None:
    source = Memory([])
    source.infos = [SampleInfo(name) for name in ids]
    with pytest.raises(DataError, match=told):
        load_dataset(source, SIZE)
    assert source.reads == []


def test_all_samples_are_parts_of_volumes_or_none() -> None:
    made = [sample(i) for i in range(4)]
    with pytest.raises(DataError, match="expected a volume id for each sample, or volumes=None"):
        load_dataset(Memory([*made[:3], replace(made[3], volume=None)], "some"), SIZE)
    with pytest.raises(DataError, match="has samples of patients 'person 0' and 'someone'"):
        load_dataset(Memory([made[0], replace(made[1], patient="someone")], "two"), SIZE)
    assert load_dataset(Memory([replace(one, volume=None) for one in made], "alone"), SIZE).volumes is None


def test_a_task_with_the_name_of_btlibs_own_is_that_one() -> None:
    source = Memory([sample(0)], "named")
    source.asked = TASK.model_copy(update={"name": "figshare"})
    with pytest.raises(DataError, match="the task differs from btlib's built-in task of the same name 'figshare'"):
        load_dataset(source, SIZE)
