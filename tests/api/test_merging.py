"""`btlib merge`: runs that share no folder become one; what does not belong together is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import btlib
from btlib.api.closing import close
from btlib.api.merging import merge
from btlib.cases import CASES, Case, Prepared, Work
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.protocol import Protocol, Recipe, Tier
from btlib.runs import Cell, RunStore
from btlib.types import Predictions

TIER = Tier("small", Protocol(image_size=32), Recipe(epochs=1), "none", 0, False, 0.0, 0.5, "fp32", "eager", 2, 4, 1)
Start = Callable[..., RunStore]
CLASSES = np.tile([0.4, 0.3, 0.3], (64, 1))


class Shade:
    """Predicts brightness, a little of it lost with each seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def predict(self, images: np.ndarray) -> Predictions:
        masks = np.clip(images / max(images.max(), 1) - self.seed / 1000, 0, 1)
        return Predictions(masks, CLASSES[: len(images)])


def shade(name: str) -> Case:
    def prepare(work: Work) -> Prepared:
        return Prepared(Shade(work.seed), "given", threshold=0.3)

    return Case(name, "a shade", True, True, prepare)


@pytest.fixture(autouse=True)
def _no_cases_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CASES, "_items", dict(CASES._items))
    for name in ("one", "two"):
        CASES.add(name, shade(name))
    monkeypatch.setattr("btlib.api.closing._page", lambda folder: [])  # pages are looked at elsewhere


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def started(*cases: str, samples: int = 24, **more: Any) -> RunStore:
        usual = {"tier": TIER, "root": tmp_path, "no_tune": True}
        return RunStore(btlib.run(cases, PhantomSource(PHANTOM, samples), **{**usual, **more}).folder)

    return started


def test_seeds_of_two_runs_become_those_of_one(start: Start, tmp_path: Path) -> None:
    together = start("one", seed=3, seeds=3)
    parts = [start("one", seed=3, seeds=2), start("one", seed=5, measures=["inference", "explanation"])]
    merged = merge([part.path for part in parts], tmp_path / "merged", "both")
    assert [r.samples for r in merged.records()] == [r.samples for r in together.records()]
    assert (merged.info().seeds, merged.info().name, merged.info().options) == ([3, 4, 5], "both", None)
    ours, theirs = close(merged.path).judgement, close(together.path).judgement
    assert ours.cases["one"].verdicts == theirs.cases["one"].verdicts
    assert merged.masks(Cell("one", 5)).ids.tolist() == parts[1].masks(Cell("one", 5)).ids.tolist()
    assert set(merged.explained()) == {"one"}
    assert merged.split() == together.split()


def test_cases_of_two_runs_stand_side_by_side(start: Start, tmp_path: Path) -> None:
    merged = merge([start("one").path, start("two").path], tmp_path / "merged")
    assert merged.info().cases == ["one", "two"]
    assert set(close(merged.path).judgement.cases) == {"one", "two"}
    assert (tmp_path / "merged" / "significance.json").exists()


def test_folds_of_two_runs_are_pooled(start: Start, tmp_path: Path) -> None:
    whole = start("one", folds="patient-5fold")
    folds = ("patient-5fold-1,patient-5fold-4", "patient-5fold-2,patient-5fold-3,patient-5fold-5")
    folds = ("patient-5fold-1,patient-5fold-4", "patient-5fold-2,patient-5fold-3,patient-5fold-5")
    parts = [start("one", folds=some) for some in folds]
    merged = merge([part.path for part in parts], tmp_path / "merged")
    ours, theirs = close(merged.path).judgement, close(whole.path).judgement
    assert ours.cases["one"].verdicts == theirs.cases["one"].verdicts
    assert [merged.split(fold) for fold in merged.info().folds] == [whole.split(fold) for fold in whole.info().folds]


def test_a_seed_that_no_run_has_is_a_failure(start: Start, tmp_path: Path) -> None:
    merged = merge([start("one", seed=1, seeds=2).path, start("two", seed=1).path], tmp_path / "merged")
    judgement = close(merged.path).judgement
    assert {v.status for v in judgement.cases["one"].verdicts} == {"measured"}
    assert {v.status for v in judgement.cases["two"].verdicts} == {"error"}


def test_the_same_cell_twice_has_what_either_measured(start: Start, tmp_path: Path) -> None:
    fast, seen = start("one", measures=["inference"]), start("one", measures=["explanation", "planted faults"])
    for order in ([fast, seen], [seen, fast]):
        merged = merge([run.path for run in order], tmp_path / order[0].path.name)
        (record,) = merged.records()
        assert {*record.measured} == {"quality", "inference", "explanation", "planted faults"}
        assert record.speed == fast.records()[0].speed
        assert record.planted == seen.records()[0].planted != {}
        assert set(merged.explained()) == {"one"}


def test_what_failed_in_one_run_and_not_in_the_other_is_measured(start: Start, tmp_path: Path) -> None:
    sound, failed = start("one", measures=["inference"]), start("one", measures=["inference"])
    (record,) = failed.records()
    broken = {"problems": {"inference": "no such kernel"}, "speed": None}
    failed.save_record(record.model_copy(update=broken))
    for order in ([sound, failed], [failed, sound]):
        merged = merge([run.path for run in order], tmp_path / order[0].path.name)
        (record,) = merged.records()
        assert (record.problems, record.speed) == ({}, sound.records()[0].speed)


def test_single_folds_of_several_machines_are_pooled(start: Start, tmp_path: Path) -> None:
    whole = start("one", folds="patient-5fold")
    parts = [start("one", folds=f"patient-5fold-{k}") for k in range(1, 6)]
    merged = merge([part.path for part in parts], tmp_path / "merged")
    assert merged.info().folds == whole.info().folds
    ours, theirs = close(merged.path).judgement, close(whole.path).judgement
    assert ours.cases["one"].verdicts == theirs.cases["one"].verdicts


def test_the_speed_of_a_case_is_that_of_its_first_cell(start: Start, tmp_path: Path) -> None:
    first, second = (start("one", seed=seed, measures=["inference"]) for seed in (3, 4))
    merged = merge([second.path, first.path], tmp_path / "merged")
    assert merged.speeds() == first.speeds()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: {"model": r.model.model_copy(update={"details": {"engine": "other"}})}, "engine: .* differs from"),
        (lambda r: {"metrics": {"dice": 2, "accuracy": 1}}, "metrics: .* differs from"),
        (lambda r: {"code": r.code.model_copy(update={"digest": "0" * 64})}, "code: .* differs from"),
    ],
    ids=["engine", "metrics", "code"],
)
def test_seeds_that_were_made_otherwise_are_refused(
    start: Start, tmp_path: Path, change: Callable[[Any], dict[str, Any]], told: str
) -> None:
    first, second = start("one", seed=1), start("one", seed=2)
    (record,) = second.records()
    second.save_record(record.model_copy(update=change(record)))
    with pytest.raises(RecordError, match=told):
        merge([first.path, second.path], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_cell_with_other_numbers_is_refused(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start("one")
    monkeypatch.setattr(
        Shade,
        "predict",
        lambda self, images: Predictions(np.zeros_like(images), np.tile([0.4, 0.3, 0.3], (len(images), 1))),
    )
    second = start("one")
    with pytest.raises(RecordError, match="different numbers"):
        merge([first.path, second.path], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"samples": 30}, "different conditions"),
        ({"image_size": 48}, "image_size"),
        ({"epochs": 2}, "recipe"),
        ({"folds": "patient-5fold"}, "folds"),
        ({"strict": True, "baseline": "smoke", "image_size": 32}, "strict"),
    ],
    ids=["other samples", "another size", "another recipe", "folds and a split", "strictness"],
)
def test_runs_that_do_not_belong_together_are_refused(
    start: Start, tmp_path: Path, more: dict[str, Any], told: str
) -> None:
    first = start("one")
    if "strict" in more:
        second = start("two")
        second.save_info(second.info().model_copy(update={"strict": True}))
    else:
        second = start("two", **more)
    with pytest.raises(RecordError, match=told):
        merge([first.path, second.path], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_one_run_or_a_folder_that_is_there_is_refused(start: Start, tmp_path: Path) -> None:
    run = start("one").path
    with pytest.raises(RecordError, match="at least two"):
        merge([run], tmp_path / "merged")
    with pytest.raises(RecordError, match="already exists"):
        merge([run, run], run)


def test_a_damaged_record_is_told(start: Start, tmp_path: Path) -> None:
    first, second = start("one"), start("two")
    file = second.record_path(Cell("two", 42))
    file.write_text(file.read_text(encoding="utf-8").replace('"seconds"', '"sekunden"', 1), encoding="utf-8")
    with pytest.raises(RecordError, match=file.name):
        merge([first.path, second.path], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
