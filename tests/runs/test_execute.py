"""A case ends with a record, whatever happens in it."""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.errors import ModelError
from btlib.runs import CaseRecord, RunFolder
from btlib.runs.execute import conditions, run_case
from btlib.runs.results import as_results
from btlib.types import Predictions

Make = Callable[..., Case]


def test_a_case_that_works(tmp_path: Path, work: Work, make_case: Make):
    (tmp_path / "curve.csv").write_text("epoch\n1\n")

    def prepare(w: Work) -> Prepared:
        ready = make_case().prepare(w)
        return replace(ready, curves=tmp_path / "curve.csv", notes=("mind this",), details={"device": "cpu"})

    folder = RunFolder(tmp_path / "run")
    result = run_case(make_case(prepare=prepare), work, "smoke", folder)
    record = CaseRecord.load(folder.record_path("X", 7))
    assert record == result.record
    assert (record.outcome, record.error, record.tier, record.seed) == ("done", None, "smoke", 7)
    assert record.slices is not None
    assert record.slices.number == work.dataset.numbers[work.split.test].tolist()
    assert record.slices.dice().tolist() == [1.0] * 8
    assert record.summary is not None
    assert record.summary["accuracy"]["slice_mean"] == 1
    assert record.conditions == conditions(work)
    assert record.conditions.test_class_counts == np.bincount(work.dataset.labels[work.split.test]).tolist()
    assert record.model is not None
    assert record.model.notes == ["mind this"]
    assert record.images_per_second is not None
    assert record.environment["numpy"] == np.__version__
    assert (folder.path / "curves" / "X-seed7.csv").read_text() == "epoch\n1\n"


class Wrong:
    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(np.full(images.shape, np.nan), None)


def broken(work: Work) -> Prepared:
    raise ModelError("has no weights", where="case X", mend="find some")


def crashing(work: Work) -> Prepared:
    return {}["missing"]


def leaving(work: Work) -> Prepared:
    sys.exit("no GPU here")


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (leaving, "SystemExit: no GPU here"),
        (
            lambda work: Prepared(Wrong(), "given", details={"threshold": "auto"}),
            "details: threshold is a field of its",
        ),
        (broken, "case X: has no weights\nTo mend it: find some"),
        (crashing, "KeyError: 'missing'"),
        (lambda work: Prepared(Wrong(), "given"), "case X: mask_prob: 6144 of 6144 values are not finite"),
    ],
    ids=["exit", "a detail of btlib's own name", "deliberate", "crash", "NaN"],
)
def test_a_case_that_fails_is_a_record_too(
    tmp_path: Path, work: Work, make_case: Make, prepare: Callable[[Work], Prepared], told: str
):
    work = replace(work, split=replace(work.split, test=work.split.test[:6]))
    record = run_case(make_case(prepare=prepare, has_classes=False), work, "full", RunFolder(tmp_path)).record
    assert CaseRecord.load(tmp_path / "records" / "X-seed7.json") == record
    assert record.outcome == "error"
    assert record.error is not None
    assert told in record.error
    assert record.slices is record.summary is None
    assert ("Traceback" in record.error) == (prepare in (crashing, leaving))  # a deliberate error needs none


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
    tmp_path: Path, work: Work, make_case: Make, prepare: Callable[[Work], Prepared], outcome: str
):
    record = run_case(make_case(prepare=prepare), work, "smoke", RunFolder(tmp_path), timeout=0.2).record
    assert CaseRecord.load(tmp_path / "records" / "X-seed7.json") == record
    assert record.outcome == outcome
    assert as_results([record])[0].failure == outcome


def test_a_case_in_time_is_left_alone(tmp_path: Path, work: Work, make_case: Make):
    before = signal.getsignal(signal.SIGALRM)
    assert run_case(make_case(), work, "smoke", RunFolder(tmp_path), timeout=60).record.outcome == "done"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_was_declared_must_come(tmp_path: Path, work: Work, make_case: Make):
    record = run_case(make_case(has_classes=False), work, "smoke", RunFolder(tmp_path)).record
    assert record.error is not None
    assert "declared masks True and classes False, predicted masks True and classes True" in record.error


def test_an_interrupt_is_no_failure_of_the_case(tmp_path: Path, work: Work, make_case: Make):
    def interrupted(work: Work) -> Prepared:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_case(make_case(prepare=interrupted), work, "smoke", RunFolder(tmp_path))
    assert not (tmp_path / "records").exists()


def test_a_predictor_is_handed_on_only_where_its_numbers_were_made(tmp_path: Path, work: Work, make_case: Make):
    ready: list[Prepared] = []

    def prepare(w: Work) -> Prepared:
        ready.append(make_case().prepare(w))
        return ready[-1]

    assert run_case(make_case(prepare=prepare), work, "smoke", RunFolder(tmp_path / "a")).prepared is ready[0]
    wrong = replace(ready[0], predictor=Wrong())
    assert run_case(make_case(prepare=lambda w: wrong), work, "smoke", RunFolder(tmp_path / "b")).prepared is None
