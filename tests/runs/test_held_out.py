"""What is true of test samples is guarded while a case runs, and is true again when it has run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.task import Task
from btlib.errors import ModelError
from btlib.evaluation.aggregate import per_sample
from btlib.runs import RunStore
from btlib.runs.execute import run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.results import as_results
from btlib.splits import Split, make_split
from btlib.types import Predictions

Make = Callable[..., Case]
MakeDataset = Callable[..., Dataset]


class Relabelling:
    """Predicts the first class for all, once the true labels say so too; or never comes to an end."""

    def __init__(self, truth: Dataset, at: np.ndarray, *, crashes: bool) -> None:
        self.truth, self.at, self.crashes = truth, at, crashes

    def predict(self, images: np.ndarray) -> Predictions:
        assert self.truth.labels is not None
        self.truth.labels[self.at] = 0
        if self.crashes:
            raise ZeroDivisionError
        return Predictions(None, np.tile([1.0, 0.0, 0.0], (len(images), 1)))


@pytest.mark.parametrize("only_one", [False, True], ids=["all", "one"])
@pytest.mark.parametrize("when", ["preparing", "predicting", "crashing"])
def test_a_case_that_changes_labels_fails_and_leaves_the_others_their_numbers(
    only_one: bool,
    when: str,
    tmp_path: Path,
    work: Work,
    split: Split,
    make_case: Make,
    make_dataset: MakeDataset,
) -> None:
    scored, folder = make_dataset(40), RunStore(tmp_path)
    true, held_out = scored.strata.copy(), HeldOut(scored, scored, split)
    changed = split.test[true[split.test] != 0][: 1 if only_one else None]

    def relabelling(work: Work) -> Prepared:
        predictor = Relabelling(scored, changed, crashes=when == "crashing")
        if when == "preparing":
            predictor.predict(np.asarray(scored.images[:1]))
        return Prepared(predictor, "given")

    dishonest = run_case(make_case("X", relabelling, has_mask=False), work, "smoke", folder, held_out)
    assert (dishonest.record.outcome, dishonest.record.samples, dishonest.prepared) == ("error", None, None)
    told = "ZeroDivisionError" if when == "crashing" else "case X: the true labels of test samples changed while"
    assert told in str(dishonest.record.error)
    assert as_results([dishonest.record])[0].failure == "error"
    assert scored.strata.tolist() == true.tolist()
    honest = run_case(make_case("Y"), work, "smoke", folder, held_out).record
    assert (honest.outcome, honest.error) == ("done", None)
    assert honest.samples is not None
    assert honest.samples.label == true[split.test].tolist()
    assert honest.samples.correct().all()
    assert per_sample(honest.samples, "dice").tolist() == [1.0] * 8


def test_labels_and_masks_of_other_samples_are_no_test_truth(
    tmp_path: Path, work: Work, split: Split, make_case: Make, make_dataset: MakeDataset
) -> None:
    scored = make_dataset(40)

    def altering(work: Work) -> Prepared:
        scored.strata[split.train] = 0
        scored.masks[split.train] = True
        return known.prepare(work)

    known = make_case("Y")
    case = make_case("X", altering)
    assert run_case(case, work, "smoke", RunStore(tmp_path), HeldOut(scored, scored, split)).record.outcome == "done"


def overwrite_masks(truth: Dataset, at: Any) -> None:
    truth.masks[at] = ~truth.masks[at]


def overwrite_labels(truth: Dataset, at: Any) -> None:
    truth.strata[at] = 1 - truth.strata[at].clip(0, 1)


@pytest.fixture
def of_shape() -> Callable[..., HeldOut]:
    """Phantoms of a task, in arrays that anyone can write to."""

    def make(classes: int, structures: int) -> HeldOut:
        names = ("a", "no tumour", "c")
        task = Task(name="t", classes=names[:classes], structures=names[2 : 2 + structures], synthetic=True)
        source = PhantomSource(task, 30, size=20, each=2)
        samples = [source.read(info) for info in source.samples()]
        truth = Dataset(
            task=task,
            images=np.stack([one.image for one in samples]).astype(np.float32),
            masks=np.stack([one.mask for one in samples]),
            labels=np.array([one.label for one in samples]) if classes else None,
            ids=np.array([one.id for one in samples]),
            patients=tuple(one.patient for one in samples),
            scaling="thesis",
            image_size=20,
        )
        return HeldOut(truth, truth, make_split("patient-5fold-1", truth))

    return make


@pytest.mark.parametrize(("classes", "structures"), [(2, 0), (0, 1), (2, 1)])
def test_what_a_task_has_is_guarded_and_put_back(
    classes: int, structures: int, of_shape: Callable[..., HeldOut]
) -> None:
    held_out = of_shape(classes, structures)
    truth, test = held_out.truth, held_out.split.test
    before = truth.masks.copy(), truth.strata.copy()
    for name, overwrite, there in (("masks", overwrite_masks, structures), ("labels", overwrite_labels, classes)):
        if not there:
            continue
        guard = held_out.guard()
        guard.check("X")
        overwrite(truth, test[-1:])
        with pytest.raises(ModelError, match=f"case X: the true {name} of test samples changed"):
            guard.check("X")
        guard.restore()
        guard.check("X")
        assert np.array_equal(truth.masks, before[0])
        assert np.array_equal(truth.strata, before[1])


def test_the_guard_is_of_the_truth_not_of_what_the_case_is_given(of_shape: Callable[..., HeldOut]) -> None:
    """At its own size a case has copies, which nobody scores it by."""
    held_out = of_shape(2, 1)
    given = replace(held_out.truth, masks=held_out.truth.masks.copy(), labels=held_out.truth.strata.copy())
    guard = HeldOut(given, held_out.truth, held_out.split).guard()
    overwrite_masks(given, held_out.split.test)
    overwrite_labels(given, held_out.split.test)
    guard.check("X")
