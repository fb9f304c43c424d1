"""A case ends with a record, whatever happens in it."""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.errors import ModelError
from btlib.evaluation.aggregate import per_sample
from btlib.runs import CaseRecord, RunStore
from btlib.runs.cell import Cell
from btlib.runs.execute import conditions, run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.results import as_results
from btlib.splits import Split
from btlib.types import Predictions

Make = Callable[..., Case]


def test_a_case_that_works(tmp_path: Path, work: Work, data: HeldOut, make_case: Make):
    (tmp_path / "curve.csv").write_text("epoch\n1\n")

    def prepare(w: Work) -> Prepared:
        ready = make_case().prepare(w)
        return replace(ready, curves=tmp_path / "curve.csv", notes=("mind this",), details={"device": "cpu"})

    folder = RunStore(tmp_path / "run")
    result = run_case(make_case(prepare=prepare), work, "smoke", folder, data)
    dataset, test = data.truth, data.split.test
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    assert record == result.record
    assert (record.outcome, record.error, record.tier, record.seed) == ("done", None, "smoke", 7)
    assert record.samples is not None
    assert record.samples.id == dataset.ids[test].tolist()
    assert per_sample(record.samples, "dice").tolist() == [1.0] * 8
    assert record.summary is not None
    assert record.summary["accuracy"]["slice_mean"] == 1
    assert record.conditions == conditions(dataset, data.split, work.protocol)
    assert record.conditions.test_class_counts == np.bincount(dataset.strata[test]).tolist()
    assert record.model is not None
    assert record.model.notes == ["mind this"]
    assert record.images_per_second is not None
    assert record.environment["numpy"] == np.__version__
    assert (folder.path / "curves" / "X-seed7.csv").read_text() == "epoch\n1\n"


class Wrong:
    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(np.full(images.shape, np.nan), None)


def broken(work: Work) -> Prepared:
    raise ModelError("has no weights", where="case X", hint="find some")


def crashing(work: Work) -> Prepared:
    return {}["missing"]


def leaving(work: Work) -> Prepared:
    sys.exit("no GPU here")


class OwnEnd(BaseException):
    """As a library names its own way to stop."""


def ending(work: Work) -> Prepared:
    raise OwnEnd("enough")


def closing(work: Work) -> Prepared:
    raise GeneratorExit("closed")


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (leaving, "SystemExit: no GPU here"),
        (ending, "OwnEnd: enough"),
        (closing, "GeneratorExit: closed"),
        (
            lambda work: Prepared(Wrong(), "given", details={"threshold": "auto"}),
            "details: the name threshold is reserved",
        ),
        (broken, "case X: has no weights\nHint: find some"),
        (crashing, "KeyError: 'missing'"),
        (lambda work: Prepared(Wrong(), "given"), "case X: mask_prob: 6144 of 6144 values are not finite"),
    ],
    ids=["exit", "own exception", "generator", "a detail of btlib's own name", "deliberate", "crash", "NaN"],
)
def test_a_case_that_fails_is_a_record_too(
    tmp_path: Path,
    work: Work,
    data: HeldOut,
    make_case: Make,
    prepare: Callable[[Work], Prepared],
    told: str,
):
    few = replace(data, split=replace(data.split, test=data.split.test[:6]))
    record = run_case(make_case(prepare=prepare, has_classes=False), work, "full", RunStore(tmp_path), few).record
    assert CaseRecord.load(tmp_path / "records" / "X-seed7.json") == record
    assert record.outcome == "error"
    assert record.error is not None
    assert told in record.error
    assert record.samples is record.summary is None
    assert ("Traceback" in record.error) == (
        prepare in (crashing, leaving, ending, closing)
    )  # a deliberate error needs none


class CudaOutOfMemoryError(RuntimeError):
    """As a framework names its own."""


def too_large(work: Work) -> Prepared:
    raise CudaOutOfMemoryError("tried to allocate 80 GiB")


def too_large_for_the_host(work: Work) -> Prepared:
    raise MemoryError


def too_slow(work: Work) -> Prepared:
    time.sleep(30)
    raise AssertionError("the time limit did not end it")


@pytest.mark.parametrize(
    ("prepare", "outcome"),
    [(too_large, "out-of-memory"), (too_large_for_the_host, "out-of-memory"), (too_slow, "timeout")],
)
def test_what_went_wrong_has_a_name(
    tmp_path: Path,
    work: Work,
    data: HeldOut,
    make_case: Make,
    prepare: Callable[[Work], Prepared],
    outcome: str,
):
    record = run_case(make_case(prepare=prepare), work, "smoke", RunStore(tmp_path), data, timeout=0.2).record
    assert CaseRecord.load(tmp_path / "records" / "X-seed7.json") == record
    assert record.outcome == outcome
    assert as_results([record])[0].failure == outcome


def test_a_case_in_time_is_left_alone(tmp_path: Path, work: Work, data: HeldOut, make_case: Make):
    before = signal.getsignal(signal.SIGALRM)
    assert run_case(make_case(), work, "smoke", RunStore(tmp_path), data, timeout=60).record.outcome == "done"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_was_declared_must_come(tmp_path: Path, work: Work, data: HeldOut, make_case: Make):
    record = run_case(make_case(has_classes=False), work, "smoke", RunStore(tmp_path), data).record
    assert record.error is not None
    assert (
        "expected predictions with has_mask=True and has_classes=False, got has_mask=True and has_classes=True"
        in record.error
    )


@pytest.mark.parametrize(
    "ends",
    [pytest.skip, pytest.xfail, pytest.fail, pytest.exit, sys.exit],
    ids=["skip", "xfail", "fail", "exit", "sys.exit"],
)
@pytest.mark.parametrize("when", ["prepare", "predict"])
def test_a_case_that_ends_its_own_test_has_failed(
    ends: Callable[[str], object], when: str, tmp_path: Path, work: Work, data: HeldOut, make_case: Make
):
    """It was not measured: neither is it skipped, nor does the session end."""

    class Ends:
        def predict(self, images: np.ndarray) -> Predictions:
            ends("not today")
            raise AssertionError

    def prepare(work: Work) -> Prepared:
        if when == "prepare":
            ends("not today")
        return Prepared(Ends(), "given")

    record = run_case(make_case(prepare=prepare), work, "smoke", RunStore(tmp_path), data).record
    assert (record.outcome, record.samples) == ("error", None)
    assert record.error is not None
    assert "not today" in record.error


def test_an_interrupt_is_no_failure_of_the_case(tmp_path: Path, work: Work, data: HeldOut, make_case: Make):
    def interrupted(work: Work) -> Prepared:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_case(make_case(prepare=interrupted), work, "smoke", RunStore(tmp_path), data)
    assert not (tmp_path / "records").exists()


def test_a_predictor_is_handed_on_only_where_its_numbers_were_made(
    tmp_path: Path, work: Work, data: HeldOut, make_case: Make
):
    ready: list[Prepared] = []

    def prepare(w: Work) -> Prepared:
        ready.append(make_case().prepare(w))
        return ready[-1]

    good, bad = RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    assert run_case(make_case(prepare=prepare), work, "smoke", good, data).prepared is ready[0]
    wrong = replace(ready[0], predictor=Wrong())
    assert run_case(make_case(prepare=lambda w: wrong), work, "smoke", bad, data).prepared is None


class Overwriting:
    """Predicts everything as tumour, once the true masks say so too; or never comes to an end."""

    def __init__(self, truth: Dataset, at: np.ndarray, *, crashes: bool) -> None:
        self.truth, self.at, self.crashes = truth, at, crashes

    def predict(self, images: np.ndarray) -> Predictions:
        self.truth.masks[self.at] = True
        if self.crashes:
            raise ZeroDivisionError
        return Predictions(np.ones(images.shape, np.float32), None)


@pytest.mark.parametrize("at", [slice(None), -1], ids=["all", "one"])
@pytest.mark.parametrize("when", ["preparing", "predicting", "crashing"])
def test_a_case_that_overwrites_true_masks_fails_and_leaves_the_others_their_numbers(
    at: slice | int,
    when: str,
    tmp_path: Path,
    work: Work,
    split: Split,
    make_case: Make,
    make_dataset: Callable[..., Dataset],
):
    scored, folder = make_dataset(40), RunStore(tmp_path)
    data, true = HeldOut(scored, scored, split), scored.masks.copy()

    def overwriting(work: Work) -> Prepared:
        predictor = Overwriting(scored, np.atleast_1d(split.test[at]), crashes=when == "crashing")
        if when == "preparing":
            predictor.predict(scored.images[:1])
        return Prepared(predictor, "given")

    dishonest = run_case(make_case("X", overwriting, has_classes=False), work, "smoke", folder, data)
    assert (dishonest.record.outcome, dishonest.record.samples, dishonest.prepared) == ("error", None, None)
    told = "ZeroDivisionError" if when == "crashing" else "case X: the true masks of test samples changed while"
    assert told in str(dishonest.record.error)
    assert as_results([dishonest.record])[0].failure == "error"
    np.testing.assert_array_equal(scored.masks, true)
    honest = run_case(make_case("Y"), work, "smoke", folder, data).record
    assert (honest.outcome, honest.error) == ("done", None)
    assert honest.samples is not None
    assert honest.samples.truth_area.tolist() == true[split.test].sum(axis=(2, 3)).tolist()
    assert per_sample(honest.samples, "dice").tolist() == [1.0] * 8


def test_true_masks_that_were_changed_between_two_cases_are_not_scored(
    tmp_path: Path, work: Work, split: Split, make_case: Make, make_dataset: Callable[..., Dataset]
):
    """By whom is not known, and what was read is gone: no case has numbers then."""
    scored = make_dataset(40)
    data = HeldOut(scored, scored, split)
    assert run_case(make_case("X"), work, "smoke", RunStore(tmp_path), data).record.outcome == "done"
    scored.masks[split.test[0]] = True
    for name in "YZ":
        record = run_case(make_case(name), work, "smoke", RunStore(tmp_path), data).record
        assert (record.outcome, record.samples) == ("error", None)
        assert "start the session again" in str(record.error)


def test_masks_that_nobody_can_write_to_are_left_alone(
    tmp_path: Path, work: Work, split: Split, make_case: Make, make_dataset: Callable[..., Dataset]
):
    """As those of the cache: a case that tries fails by itself, and no copy is kept."""
    scored = make_dataset(40)
    scored.masks.flags.writeable = False
    data = HeldOut(scored, scored, split)

    def overwriting(work: Work) -> Prepared:
        scored.masks[:] = True
        raise AssertionError("they could be written to")

    record = run_case(make_case("X", overwriting), work, "smoke", RunStore(tmp_path), data).record
    assert record.outcome == "error"
    assert "ValueError: assignment destination is read-only" in str(record.error)
    assert run_case(make_case("Y"), work, "smoke", RunStore(tmp_path), data).record.outcome == "done"


def test_a_case_is_given_no_test_sample(work: Work, data: HeldOut):
    given = {*work.train.ids.tolist(), *work.val.ids.tolist()}
    assert given.isdisjoint(data.truth.ids[data.split.test].tolist())
    assert not [name for name, value in vars(work).items() if isinstance(value, Dataset | Split)]
    for part in (work.train, work.val):
        for rows in (part.images, part.masks):
            with pytest.raises(ValueError, match="read-only"):
                rows[0] = 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"details": {"lr": np.float32(1)}}, "details: expected plain JSON values"),
        ({"details": {"loss": float("nan")}}, "details: expected plain JSON values"),
        ({"threshold": float("nan")}, "threshold: expected 0…1 or None, got nan"),
        ({"threshold": -1}, "threshold: expected 0…1 or None, got -1"),
        ({"threshold": True}, "threshold: expected 0…1 or None, got True"),
        ({"source": "other"}, "source: expected one of trained"),
        ({"seconds": float("inf")}, "seconds: expected a number from 0, got inf"),
    ],
)
def test_what_a_record_cannot_hold_is_a_failure_of_the_case(
    given: dict[str, Any], told: str, tmp_path: Path, work: Work, data: HeldOut, make_case: Make
):
    case = make_case(prepare=lambda w: replace(make_case().prepare(w), **given))
    record = run_case(case, work, "smoke", RunStore(tmp_path / "run"), data).record
    assert record.outcome == "error"
    assert told in (record.error or "")
    assert record.samples is None


def test_a_threshold_may_be_a_number_of_numpy(tmp_path: Path, work: Work, data: HeldOut, make_case: Make):
    case = make_case(prepare=lambda w: replace(make_case().prepare(w), threshold=np.float32(0.5)))
    assert run_case(case, work, "smoke", RunStore(tmp_path / "run"), data).record.threshold == 0.5


@pytest.mark.parametrize(("has", "told"), [("mask", "masks"), ("classes", "classes")])
def test_what_the_task_does_not_ask_for_is_told_before_training(
    has: str, told: str, tmp_path: Path, work: Work, data: HeldOut, make_case: Make
):
    lacking = {"structures": ()} if has == "mask" else {"classes": ()}
    task = data.truth.task.model_copy(update=lacking)
    empty = {"masks": data.truth.masks[:, :0]} if has == "mask" else {"labels": None}
    truth = replace(data.truth, task=task, mask_digests=None, **empty)

    def never(w: Work) -> Prepared:
        raise AssertionError("trained")

    held_out = HeldOut(truth, truth, data.split)
    record = run_case(make_case(prepare=never), work, "smoke", RunStore(tmp_path / "run"), held_out).record
    assert f"the case predicts {told}, but the task 'phantom' has none" in (record.error or "")
