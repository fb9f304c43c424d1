"""What a record says of a case that was run: measured on what, at which threshold, in which time, by which code."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.evaluation import summarise
from btlib.evaluation.catalogue import METRICS
from btlib.protocol import Protocol
from btlib.runs import CaseRecord, RunStore
from btlib.runs import execute as module
from btlib.runs.cell import Cell
from btlib.runs.execute import conditions, run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.provenance import CaseCode
from btlib.splits import Split
from btlib.types import Predictions

Make = Callable[..., Case]


class Halves:
    """Half-sure of every pixel."""

    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(np.full(images.shape, 0.5), None)


def halves(work: Work, **more: Any) -> Prepared:
    return Prepared(Halves(), "trained", **more)


Run = Callable[..., CaseRecord]


@pytest.fixture
def run(tmp_path: Path, work: Work, data: HeldOut) -> Run:
    """Runs a case and returns its record; work, test data and tier are the usual ones unless given."""

    def make(case: Case, work: Work = work, data: HeldOut = data, tier: str = "smoke") -> CaseRecord:
        return run_case(case, work, tier, RunStore(tmp_path), data).record

    return make


@pytest.mark.parametrize(
    ("protocol", "own", "used"), [(0.4, None, 0.4), (0.6, None, 0.6), (0.6, 0.4, 0.4), (0.4, 0.6, 0.6), (0.6, 0.0, 0.0)]
)
def test_masks_are_cut_at_the_models_own_threshold_or_else_the_protocols(
    protocol: float, own: float | None, used: float, run: Run, work: Work, make_case: Make
):
    case = make_case("X", lambda w: halves(w, threshold=own), has_classes=False)
    record = run(case, replace(work, protocol=Protocol(image_size=32, threshold=protocol)))
    assert record.samples is not None
    assert record.samples.columns["tumour/pred_area"] == [32 * 32 if used < 0.5 else 0] * 8
    assert (record.conditions.threshold, record.threshold) == (protocol, used)
    assert record.model is not None
    assert record.model.details == ({} if own is None else {"threshold": own})


def test_only_the_test_slices_are_scored_in_their_order(
    tmp_path: Path, run: Run, work: Work, make_case: Make, make_dataset: Callable[..., Dataset]
):
    """At a size that fills no whole byte of a packed mask."""
    split = Split("mine", np.arange(10, 30), np.array([1, 2]), np.array([35, 3, 34]))
    sized = make_dataset(40, size=20)
    data = HeldOut(sized, sized, split)
    record = run(make_case(knows=sized), replace(work, protocol=Protocol(image_size=20)), data)
    assert record.samples is not None
    assert record.samples.id == ["360", "40", "350"]
    assert record.samples.patient == ["P017", "P001", "P017"]
    masks = RunStore(tmp_path).masks(Cell("X", 7))
    assert masks is not None
    assert (masks.ids.tolist(), masks.width) == (["360", "40", "350"], 20)
    for position in split.test:
        np.testing.assert_array_equal(masks.of(str(sized.ids[position])), sized.masks[position])


def test_masks_are_scored_on_the_truth_at_the_protocols_size(
    run: Run, work: Work, data: HeldOut, make_case: Make, make_dataset: Callable[..., Dataset]
):
    """The case's own images are smaller: the conditions are those of the truth."""
    small, truth, split = make_dataset(40, size=16), data.truth, data.split
    record = run(make_case("X", halves, has_classes=False), data=replace(data, given=small))
    assert record.samples is not None
    assert record.samples.truth_area.tolist() == truth.masks[split.test].sum(axis=(2, 3)).tolist()
    assert record.conditions == conditions(truth, split, work.protocol) != conditions(small, split, work.protocol)


def test_aggregates_are_those_of_the_protocol(run: Run, work: Work, make_case: Make):
    protocol = Protocol(image_size=32, batch_mean_size=3)
    record = run(make_case(), replace(work, protocol=protocol), tier="full")
    assert record.samples is not None
    assert record.tier == "full"
    assert record.batch_mean_size == 3
    assert record.summary == summarise(record.samples, 3)


def test_batch_means_are_of_the_protocols_batches(
    run: Run, work: Work, make_case: Make, monkeypatch: pytest.MonkeyPatch
):
    sizes = []
    monkeypatch.setattr(module, "summarise", lambda table, size, known: sizes.append(size) or {})
    run(make_case(), replace(work, protocol=Protocol(image_size=32, batch_mean_size=5)))
    assert sizes == [5]


def test_a_curve_over_thresholds_is_that_of_the_evaluation(run: Run, make_case: Make, monkeypatch: pytest.MonkeyPatch):
    found = []
    evaluate = module.evaluate
    monkeypatch.setattr(module, "evaluate", lambda *a, **k: found.append(evaluate(*a, **k)) or found[-1])
    record = run(make_case())
    assert record.threshold_curve == found[0].curve is not None
    assert (record.predict_seconds, record.images_per_second) == (found[0].predict_seconds, found[0].images_per_second)


def test_metrics_are_held_by_their_version(run: Run, make_case: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(METRICS._items, "dice", replace(METRICS["dice"], version=3))
    assert run(make_case()).metrics == {"dice": 3, "accuracy": METRICS["accuracy"].version}


def test_what_is_known_of_the_model_and_its_seed(tmp_path: Path, run: Run, work: Work, make_case: Make):
    known = {"seconds": 3.5, "fingerprint": "f", "file_digest": "d", "details": {"epochs": 2}, "notes": ("a", "b")}
    record = run(make_case("X", lambda w: halves(w, **known), has_classes=False), replace(work, seed=11))
    assert record.model is not None
    assert record.model.model_dump() == {"source": "trained", **known, "notes": ["a", "b"]}
    assert (record.seed, record.title, record.case) == (11, "case X", "X")
    assert [path.name for path in RunStore(tmp_path).record_paths()] == ["X-seed11.json"]
    assert datetime.fromisoformat(record.created).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("details", "device"), [({"device": "cuda:1"}, "cuda:1"), ({"device": "cpu"}, "cpu"), ({}, None)]
)
def test_the_environment_is_that_of_the_cases_device(
    details: dict[str, str],
    device: str | None,
    run: Run,
    make_case: Make,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "environment", lambda device: {"device": str(device)})
    record = run(make_case("X", lambda w: halves(w, details=details), has_classes=False))
    assert record.environment == {"device": str(device)}


def test_steps_are_taken_in_order_and_timed(run: Run, make_case: Make, monkeypatch: pytest.MonkeyPatch):
    """The code is looked at before a long training; memory is measured of predicting alone."""
    steps: list[str] = []
    clock = iter([0.0, 10.0, 17.0])
    code = CaseCode(file="a.py", digest="d")
    evaluate = module.evaluate

    def step(name: str, value: Any = None) -> Callable[..., Any]:
        return lambda *args, **more: steps.append(name) or value

    def prepare(w: Work) -> Prepared:
        steps.append("prepare")
        return make_case().prepare(w)

    def evaluating(*args: Any, **more: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.undo()
            steps.append("evaluate")
            return evaluate(*args, **more)

    monkeypatch.setattr(module, "code_of", step("code", code))
    monkeypatch.setattr(module, "evaluate", evaluating)
    for name, value in (("release", None), ("reset_peak", None), ("peak_mib", 512.0)):
        monkeypatch.setattr(module.memory, name, step(name, value))

    class Clock:
        @staticmethod
        def perf_counter() -> float:
            return next(clock)

    monkeypatch.setattr(module, "time", Clock)
    record = run(make_case("X", prepare))
    assert steps == ["code", "prepare", "release", "reset_peak", "evaluate", "peak_mib"]
    assert (record.prepare_seconds, record.seconds, record.peak_memory_mib) == (10.0, 17.0, 512.0)
    assert record.code == code


NUMBERS = (
    "samples",
    "summary",
    "threshold_curve",
    "images_per_second",
    "peak_memory_mib",
    "predict_seconds",
)


def test_of_a_case_that_fails_after_it_was_prepared_the_model_is_known_and_its_curves_are_kept(
    tmp_path: Path, work: Work, data: HeldOut, make_case: Make
):
    curves = tmp_path / "curves.csv"
    curves.write_text("epoch\n1\n")
    folder = RunStore(tmp_path / "run")
    result = run_case(make_case("X", lambda w: halves(w, curves=curves)), work, "smoke", folder, data)
    assert (result.record.outcome, result.prepared) == ("error", None)
    assert {name: getattr(result.record, name) for name in NUMBERS} == dict.fromkeys(NUMBERS)
    assert folder.masks(Cell("X", 7)) is None
    assert folder.curves_path(Cell("X", 7)).read_text() == "epoch\n1\n"
    assert result.record.prepare_seconds is not None
    assert result.record.model is not None


@pytest.mark.parametrize("returned", [None, object()])
def test_a_case_that_was_not_prepared_has_neither_model_nor_numbers(returned: object, run: Run, make_case: Make):
    record = run(make_case("X", lambda w: returned))
    assert (record.outcome, record.model, record.prepare_seconds) == ("error", None, None)
    assert {name: getattr(record, name) for name in NUMBERS} == dict.fromkeys(NUMBERS)


def deep(levels: int) -> None:
    if levels == 0:
        raise KeyError("the innermost")
    deep(levels - 1)


def test_a_crash_is_told_with_its_last_six_calls_and_its_memory_is_freed(
    run: Run, make_case: Make, monkeypatch: pytest.MonkeyPatch
):
    freed: list[BaseException | None] = []
    monkeypatch.setattr(module.memory, "release", lambda error=None: freed.append(error))

    def prepare(w: Work) -> Prepared:
        deep(9)
        raise AssertionError

    record = run(make_case("X", prepare))
    assert record.error is not None
    assert "Previous line repeated 2 more times" in record.error, (
        "six, of which Python writes the first three and the last"
    )
    assert "in prepare" not in record.error
    assert record.error.endswith("KeyError: 'the innermost'")
    assert [type(error) for error in freed] == [KeyError]
