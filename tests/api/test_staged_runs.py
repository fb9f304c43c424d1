"""`btlib.run` with seeds in stages: interrupted, resumed, merged, on folds, and what its reports say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import btlib
from btlib.api.closing import close
from btlib.api.execution import Finished, InterruptedRunError
from btlib.api.merging import merge
from btlib.cases import CASES
from btlib.data import write_phantoms
from btlib.errors import OptionError, RecordError
from btlib.gate import judgement
from btlib.gate.acceptance import propose
from btlib.protocol import TIERS, Protocol, Recipe, Tier
from btlib.reporting.html import write_report
from btlib.runs import Cell, RunStore
from btlib.runs.progress import ProgressReporter
from btlib.runs.results import run_results

from .gates import gate

TIER = Tier("small", Protocol(image_size=32), Recipe(epochs=1), "none", 0, False, 0.0, 0.5, "fp32", "eager", 2, 4, 1)
CASE = """
from pathlib import Path
import numpy as np
from btlib.cases import Prepared, case
from btlib.types import Predictions

HERE = Path(__file__).parent


class Bright:
    def __init__(self, loss):
        self.loss = loss

    def predict(self, images):
        masks = np.clip(images / images.max(), 0, 1) * (np.random.default_rng(0).random(images.shape) >= self.loss)
        return Predictions(masks, None)


def prepare(work):
    with (HERE / "calls.txt").open("a") as calls:
        calls.write(f"{work.case} {work.seed}\\n")
    if (HERE / f"stop-{work.seed}").exists():
        raise KeyboardInterrupt
    if (HERE / f"fail-{work.seed}").exists():
        raise ValueError("it failed")
    loss = HERE / f"loss-{work.seed}"
    return Prepared(Bright(float(loss.read_text()) if loss.exists() else 0.0), "given", threshold=0.3)


for name in ("one", "two"):
    case(name, "brightness", has_mask=True, has_classes=False)(prepare)
"""
UNCLEAR_UP_TO_2 = {"dice": ["inconclusive", "inconclusive", "pass"]}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CASES, "_items", dict(CASES._items))
    len(TIERS)  # those of packages are there
    monkeypatch.setattr(TIERS, "_items", {**TIERS._items, "small": TIER})  # a resumed run looks it up by its name
    monkeypatch.setattr("btlib.api.closing._significance", lambda *run: [])
    monkeypatch.setattr("btlib.api.closing._page", lambda folder: [])


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 24)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CASE, encoding="utf-8")
    return path


@pytest.fixture
def calls(file: Path) -> Callable[[], list[str]]:
    """What was prepared since the last question."""

    def taken() -> list[str]:
        path = file.parent / "calls.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    return taken


@pytest.fixture
def start(file: Path, tmp_path: Path, calls: Any, data: Path) -> Callable[..., Finished]:
    """Runs the cases on 24 phantoms, compared with their own numbers of seed 1, which were accepted before."""
    usual: dict[str, Any] = {"tier": TIER, "root": tmp_path, "no_tune": True, "independent": True}
    specs = {name: f"{file}::{name}" for name in ("one", "two")}
    before = btlib.run([*specs.values()], data, seed=1, **usual)
    baseline = tmp_path / "known.json"
    propose(before.folder, "known", "for a test", {"dice": 0.02}).new.save(baseline)
    calls()

    def started(*cases: str, **more: Any) -> Finished:
        options = {"seed": 1, "seeds": "1..5", "baseline": str(baseline), **usual, **more}
        return btlib.run([specs[case] for case in cases or ("one",)], data, **options)

    return started


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def chosen(**by_case: Any) -> None:
        monkeypatch.setattr(judgement, "verdicts", gate(by_case, []))

    return chosen


def ends(finished: Finished) -> tuple[int, dict[str, int], set[str]]:
    """Exit code, where cases stopped, and all verdicts."""
    return (
        finished.exit_code,
        RunStore(finished.folder).info().stopped,
        {verdict.status for verdict in finished.judgement.verdicts},
    )


def test_the_gate_decides_by_the_numbers(start: Any, calls: Any, tmp_path: Path) -> None:
    """With the real gate: the same numbers are clear at once; those of another training with three persons are not."""
    finished = start()
    assert ends(finished) == (0, {"one": 1}, {"pass"})
    assert calls() == ["one 1"]
    for seed, loss in enumerate(["0.05", "0.05", "0.1", "0.0", "0.05"], 1):
        (tmp_path / f"loss-{seed}").write_text(loss)
    said = list[str]()
    finished = start(progress=ProgressReporter(said.append))
    assert "case one: inconclusive with 1 seed, measuring seeds 2 and 3" in said
    assert len(calls()) in (3, 5)
    for one in (finished, btlib.resume(finished.folder)):
        (verdict,) = one.judgement.verdicts
        assert verdict.confidence == pytest.approx(1 - 0.05 / 3), "the level is divided by the number of stages"
    assert calls() == []


def test_a_run_that_is_interrupted_between_stages_fails_until_it_is_resumed(
    start: Any, calls: Any, tmp_path: Path, judge: Any
) -> None:
    judge(one=UNCLEAR_UP_TO_2)
    whole = start()
    assert (ends(whole), calls()) == ((0, {"one": 3}, {"pass"}), ["one 1", "one 2", "one 3"])
    (tmp_path / "stop-2").touch()
    with pytest.raises(InterruptedRunError) as interrupted:
        start()
    cut = interrupted.value.finished
    assert ends(cut) == (7, {}, {"error"})
    store = RunStore(cut.folder)
    assert [record.seed for record in store.records()] == [1]
    (verdict,) = cut.judgement.verdicts
    assert verdict.reason == "no record of one, seed 2; one, seed 3: the run was interrupted or is still running"
    assert [result.failure for result in run_results(store)] == ["error"]
    assert "seeds: 1 of up to 5 seeds, not finished: error (one)" in cut.summary.lines
    (tmp_path / "stop-2").unlink()
    calls()
    again = btlib.resume(cut.folder)
    assert (ends(again), calls()) == (ends(whole), ["one 2", "one 3"])
    ours, theirs = (RunStore(one.folder).records() for one in (again, whole))
    assert [record.samples for record in ours] == [record.samples for record in theirs]
    finished = btlib.resume(cut.folder)
    assert (ends(finished), calls()) == (ends(whole), [])


def test_a_resumed_run_goes_on_where_a_case_stopped_because_it_failed(
    start: Any, calls: Any, tmp_path: Path, judge: Any
) -> None:
    judge(one=UNCLEAR_UP_TO_2)
    for seed, stopped in ((1, 1), (2, 3)):
        (tmp_path / f"fail-{seed}").touch()
        failed = start()
        assert ends(failed) == (7, {"one": stopped}, {"error"})
        (tmp_path / f"fail-{seed}").unlink()
        calls()
        again = btlib.resume(failed.folder)
        assert (ends(again), calls()) == (
            (0, {"one": 3}, {"pass"}),
            ["one 1", "one 2", "one 3"] if seed == 1 else ["one 2"],
        )


def test_a_resumed_run_that_is_interrupted_again_does_not_keep_its_old_stop(
    start: Any, tmp_path: Path, judge: Any
) -> None:
    judge(one=UNCLEAR_UP_TO_2)
    (tmp_path / "fail-1").touch()
    failed = start()
    assert ends(failed)[1] == {"one": 1}
    (tmp_path / "fail-1").unlink()
    (tmp_path / "stop-2").touch()
    with pytest.raises(InterruptedRunError) as interrupted:
        btlib.resume(failed.folder)
    assert ends(interrupted.value.finished) == (7, {}, {"error"})


def test_a_lost_stop_is_a_failure_and_is_found_again(start: Any, calls: Any, judge: Any) -> None:
    judge()
    done = start()
    store = RunStore(done.folder)
    store.save_stop("one", None)
    assert {v.status for v in close(done.folder).judgement.verdicts} == {"error"}
    calls()
    assert (ends(btlib.resume(done.folder)), calls()) == ((0, {"one": 1}, {"pass"}), [])


def test_all_folds_of_a_stage_are_measured_before_it_is_judged(start: Any, calls: Any, judge: Any) -> None:
    judge(one=UNCLEAR_UP_TO_2)
    done = start(folds="patient-5fold-1,patient-5fold-2", seeds="1..4")
    assert ends(done) == (0, {"one": 3}, {"pass"})
    assert calls() == ["one 1", "one 1", "one 2", "one 2", "one 3", "one 3"]


def test_cases_of_two_machines_keep_their_stages(start: Any, tmp_path: Path, judge: Any) -> None:
    judge(one=UNCLEAR_UP_TO_2, two={"dice": ["inconclusive"]})
    whole = start("one", "two", seeds="1..4")
    parts = [start(case, seeds="1..4") for case in ("one", "two")]
    merged = merge([part.folder for part in parts], tmp_path / "merged")
    assert [record.samples for record in merged.records()] == [r.samples for r in RunStore(whole.folder).records()]
    assert (merged.info().stages, merged.info().stopped, merged.lost()) == ([1, 3, 4], {"one": 3}, {})
    ours = close(merged.path)
    assert {case: found.verdicts for case, found in ours.judgement.cases.items()} == {
        case: found.verdicts for case, found in whole.judgement.cases.items()
    }
    assert [line for line in ours.lines if line.startswith("seeds: ")] == [
        "seeds: stopped after 3 of up to 4 seeds: pass (one)",
        "seeds: all 4 seeds: inconclusive (two)",
    ]


def test_what_one_machine_began_and_another_finished_is_finished(start: Any, tmp_path: Path, judge: Any) -> None:
    judge(one=UNCLEAR_UP_TO_2)
    done = start()
    (tmp_path / "stop-3").touch()
    with pytest.raises(InterruptedRunError) as interrupted:
        start()
    cut = interrupted.value.finished
    for count, order in enumerate(([done.folder, cut.folder], [cut.folder, done.folder])):
        merged = merge(order, tmp_path / f"merged-{count}")
        assert (merged.info().stopped, merged.lost()) == ({"one": 3}, {})
    (tmp_path / "stop-3").unlink()
    (tmp_path / "stop-2").touch()
    with pytest.raises(InterruptedRunError):
        start()
    other = max((tmp_path / "reports").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    merged = merge([cut.folder, other], tmp_path / "both cut")
    assert (merged.info().stopped, merged.lost()) == ({}, {"one": [Cell("one", 3)]})
    assert {v.status for v in close(merged.path).judgement.verdicts} == {"error"}


def test_runs_that_stopped_at_different_stages_are_not_merged(start: Any, tmp_path: Path, judge: Any) -> None:
    judge()
    first = start()
    judge(one=UNCLEAR_UP_TO_2)  # as with another baseline of the same name
    second = start()
    for count, order in enumerate(([first, second], [second, first])):
        with pytest.raises(RecordError, match=r"case one stopped after 1 of 5 seeds, but another run has one, seed 2"):
            merge([one.folder for one in order], tmp_path / f"merged-{count}")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seeds": "1..3"}, "stages"),
        ({"seeds": "3..5"}, "stages"),
        ({"seeds": 5}, "stages"),
        ({"seed": 3}, "seeds"),
        ({"folds": "patient-5fold-1"}, "folds"),
    ],
)
def test_runs_with_other_stages_seeds_or_folds_are_not_merged(
    start: Any, tmp_path: Path, judge: Any, changes: dict[str, Any], field: str
) -> None:
    """Each went on or stopped by its own part of the case."""
    judge()
    first, second = start(), start(**changes)
    with pytest.raises(RecordError, match=rf"{field}: this run has .*\nHint: merge runs that differ only in cases$"):
        merge([first.folder, second.folder], tmp_path / "merged")


def test_the_reports_say_after_how_many_seeds_each_case_stopped(
    start: Any, judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(one=UNCLEAR_UP_TO_2)
    monkeypatch.setattr("btlib.reporting.html.write.figures", lambda *what: ())
    done = start("one", "two")
    write_report(done.folder)
    told = {"one": "stopped after 3 of up to 5 seeds: pass", "two": "stopped after 1 of up to 5 seeds: pass"}
    for name in ("comparison.md", "summary.md", "index.html"):
        text = (done.folder / name).read_text(encoding="utf-8")
        assert all(f"{note} ({case})" in text for case, note in told.items()), name
    plain = start("one", seeds=2)
    write_report(plain.folder)
    for name in ("comparison.md", "summary.md", "index.html"):
        assert "of up to" not in (plain.folder / name).read_text(encoding="utf-8")


def test_what_is_no_number_of_seeds_is_refused_before_anything_is_measured(start: Any, calls: Any) -> None:
    with pytest.raises(OptionError, match="smaller number first"):
        start(seeds="5..1")
    assert calls() == []
