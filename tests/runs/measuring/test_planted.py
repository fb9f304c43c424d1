"""Each planted fault spoils what it should and nothing else, and lands in the record."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from btlib.adapters.saved import save_predictions
from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.saved import SavedPredictions
from btlib.protocol import Recipe
from btlib.runs import CaseRecord
from btlib.runs.executors import InProcess
from btlib.runs.measuring import PLANTED
from btlib.runs.measuring.planted import FAULTS
from btlib.sample_table import SampleTable
from btlib.types import Predictions

Make = Callable[..., Case]
MakeExecutor = Callable[..., InProcess]
THRESHOLD, SHIFT, SWAP, HALF = FAULTS


class Sure:
    """Knows the truth; surer of the left half of the image than of the right, and of nothing after half a training."""

    def __init__(self, dataset: Dataset, epochs: int = 4, high: float = 0.95, low: float = 0.8) -> None:
        self.dataset, self.epochs, self.high, self.low = dataset, epochs, high, low

    def predict(self, images: np.ndarray) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        masks = self.dataset.masks[at].astype(np.float32)
        half = masks.shape[-1] // 2
        masks[..., :half] *= self.high
        masks[..., half:] *= self.low
        classes = np.where(np.eye(3)[self.dataset.strata[at]] > 0, 0.8, 0.1)
        if self.epochs < 4:
            masks[..., ::2, :] = 0
            classes = np.full_like(classes, 0.1)
            classes[:, 0] = 0.8
        return Predictions(masks, classes)


@pytest.fixture(scope="module")
def samples(make_dataset: Callable[..., Dataset]) -> Dataset:
    """Of which forty test, in three batches."""
    return make_dataset(200)


def run(
    make_case: Make,
    register: Callable[..., None],
    make_executor: MakeExecutor,
    samples: Dataset,
    prepare: Callable[[Work], Prepared] | None = None,
    **has: bool,
) -> CaseRecord:
    register(make_case("X", prepare or (lambda w: Prepared(Sure(samples, w.recipe.epochs), "trained")), **has))
    executor = make_executor({"X": (PLANTED,)}, samples=samples, recipe=Recipe(epochs=4))
    (cell,) = executor.workspace.plan.cells()
    record = executor.submit(cell).result(timeout=0)
    assert (record.outcome, record.problems, record.measured) == ("done", {}, ["quality", PLANTED])
    assert executor.store.record(cell) == record
    return record


@pytest.fixture
def record(make_case: Make, register: Callable[..., None], make_executor: MakeExecutor, samples: Dataset) -> CaseRecord:
    return run(make_case, register, make_executor, samples)


def table_of(record: CaseRecord) -> SampleTable:
    assert record.samples is not None
    return record.samples


def same_classes(one: SampleTable, other: SampleTable) -> bool:
    return bool((one.class_prob == other.class_prob).all())


def same_masks(one: SampleTable, other: SampleTable) -> bool:
    return one.columns["tumour/intersection"] == other.columns["tumour/intersection"] and (
        one.columns["tumour/pred_area"] == other.columns["tumour/pred_area"]
    )


def test_all_faults_are_in_the_record_of_the_same_samples(record: CaseRecord):
    sound = table_of(record)
    assert per_sample(sound, "dice").tolist() == pytest.approx([1.0] * 40)
    assert sound.correct().all()
    assert record.planted.keys() == FAULTS.keys()
    for table in record.planted.values():
        assert (table.id, table.label, table.patient) == (sound.id, sound.label, sound.patient)
        assert table.truth_area.tolist() == sound.truth_area.tolist()


def test_a_raised_threshold_loses_what_is_less_sure(record: CaseRecord, samples: Dataset):
    """The right half of each mask; no class."""
    sound, spoiled = table_of(record), record.planted[THRESHOLD]
    test = [samples.ids.tolist().index(name) for name in sound.id]
    left = samples.masks[test][..., :16].sum(axis=(1, 2, 3)).tolist()
    assert spoiled.columns["tumour/intersection"] == spoiled.columns["tumour/pred_area"] == left
    assert np.mean(per_sample(spoiled, "dice")) < np.mean(per_sample(sound, "dice")) - 0.1
    assert same_classes(spoiled, sound)


def test_a_shifted_mask_is_four_pixels_to_the_right(record: CaseRecord, samples: Dataset):
    sound, spoiled = table_of(record), record.planted[SHIFT]
    test = [samples.ids.tolist().index(name) for name in sound.id]
    truth = samples.masks[test]
    moved = np.zeros_like(truth)
    moved[:, :, :, 4:] = truth[:, :, :, :-4]
    assert spoiled.columns["tumour/pred_area"] == moved.sum(axis=(1, 2, 3)).tolist()
    assert spoiled.columns["tumour/intersection"] == (moved & truth).sum(axis=(1, 2, 3)).tolist()
    assert (per_sample(spoiled, "dice") < per_sample(sound, "dice")).all()
    assert same_classes(spoiled, sound)


def test_a_class_is_swapped_for_one_sample_in_twenty(record: CaseRecord):
    """In whatever batch it is; the others keep theirs, and all keep their masks."""
    sound, spoiled = table_of(record), record.planted[SWAP]
    wrong = ~spoiled.correct()
    assert wrong.sum() == 2
    np.testing.assert_array_equal(spoiled.class_prob[~wrong], sound.class_prob[~wrong])
    np.testing.assert_array_equal(spoiled.class_prob[wrong], np.roll(sound.class_prob[wrong], 1, axis=1))
    assert same_masks(spoiled, sound)
    assert np.mean(per_sample(spoiled, "dice")) == np.mean(per_sample(sound, "dice"))


def test_half_the_epochs_is_another_training(
    make_case: Make, register: Callable[..., None], make_executor: MakeExecutor, samples: Dataset
):
    works: list[Work] = []

    def prepare(work: Work) -> Prepared:
        works.append(work)
        return Prepared(Sure(samples, work.recipe.epochs), "trained")

    record = run(make_case, register, make_executor, samples, prepare)
    assert [work.recipe.epochs for work in works] == [4, 2]
    assert [(work.seed, work.split, work.data) for work in works] == [(7, works[0].split, works[0].data)] * 2
    sound, spoiled = table_of(record), record.planted[HALF]
    assert np.mean(per_sample(spoiled, "dice")) < np.mean(per_sample(sound, "dice")) - 0.1
    assert spoiled.correct().mean() < 0.6


def test_among_few_samples_a_class_is_swapped_all_the_same(
    make_case: Make, register: Callable[..., None], make_executor: MakeExecutor, dataset: Dataset
):
    """A fault that changes nothing would be blamed on the gate."""
    record = run(make_case, register, make_executor, dataset)
    assert record.planted[SWAP].n == 8
    assert (~record.planted[SWAP].correct()).sum() == 1


@pytest.mark.parametrize(
    ("mask", "classes", "faults"),
    [(True, False, {THRESHOLD, SHIFT, HALF}), (False, True, {SWAP, HALF})],
    ids=["masks", "classes"],
)
def test_a_case_suffers_from_what_spoils_its_own_predictions(
    mask: bool,
    classes: bool,
    faults: set[str],
    make_case: Make,
    register: Callable[..., None],
    make_executor: MakeExecutor,
    samples: Dataset,
):
    class Part(Sure):
        def predict(self, images: np.ndarray) -> Predictions:
            said = super().predict(images)
            return Predictions(said.mask_prob if mask else None, said.class_prob if classes else None)

    def prepare(work: Work) -> Prepared:
        return Prepared(Part(samples, work.recipe.epochs), "trained")

    record = run(make_case, register, make_executor, samples, prepare, has_mask=mask, has_classes=classes)
    assert record.planted.keys() == faults
    assert all((table.has_mask, table.has_classes) == (mask, classes) for table in record.planted.values())


def test_a_model_with_a_threshold_of_its_own_is_spoiled_under_it(
    make_case: Make, register: Callable[..., None], make_executor: MakeExecutor, samples: Dataset
):
    """Its masks are cut at 0.3: what is between that and 0.9 is lost, and the shifted mask is whole."""

    def prepare(work: Work) -> Prepared:
        return Prepared(Sure(samples, work.recipe.epochs, low=0.4), "trained", threshold=0.3)

    record = run(make_case, register, make_executor, samples, prepare)
    sound = table_of(record)
    assert per_sample(sound, "dice").tolist() == pytest.approx([1.0] * 40)
    test = [samples.ids.tolist().index(name) for name in sound.id]
    left = samples.masks[test][..., :16].sum(axis=(1, 2, 3)).tolist()
    assert record.planted[THRESHOLD].columns["tumour/pred_area"] == left
    moved = samples.masks[test][..., :-4].sum(axis=(1, 2, 3)).tolist()
    assert record.planted[SHIFT].columns["tumour/pred_area"] == moved


def test_nothing_is_planted_in_saved_predictions(
    tmp_path: Path, make_case: Make, register: Callable[..., None], make_executor: MakeExecutor, samples: Dataset
):
    save_predictions(tmp_path / "a.npz", samples, Sure(samples))
    saved = SavedPredictions(tmp_path / "a.npz")
    record = run(make_case, register, make_executor, samples, lambda w: Prepared(saved, "given"))
    assert record.planted == {}
