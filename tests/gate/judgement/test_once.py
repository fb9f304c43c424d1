"""Every case of a run is judged once, by items, closing and page together."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.api.closing import close
from btlib.api.opening import baseline_of, open_run
from btlib.cases import CASES, Case, Prepared
from btlib.data import write_phantoms
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.gate.acceptance import accept, propose
from btlib.gate.judgement import judge_case, judge_run
from btlib.gate.loading import load_baseline
from btlib.gate.verdict import HOLDS
from btlib.options import RunOptions, adjusted
from btlib.plugin.run import Run
from btlib.protocol import TIERS, Protocol
from btlib.runs import RunStore
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from tests.gate.judgement.steps import METRICS, Bright, Counted, change, kept, statuses

SPY = """
import numpy as np

import btlib.gate.judgement as room
from btlib.cases import Prepared, case
from btlib.types import Predictions

held = room.judge_with


def judge(result, *args, **more):
    with open("judged.txt", "a") as file:
        print(result.case, file=file)
    return held(result, *args, **more)


room.judge_with = judge


class Bright:
    def predict(self, images):
        classes = np.tile([0.5, 0.25, 0.25], (len(images), 1))
        return Predictions(np.clip(images / images.max(), 0, 1), classes)


for name in ("toy1", "toy2"):
    case(name, "brightness", has_mask=True, has_classes=True)(lambda work: Prepared(Bright(), "given"))
"""


def test_items_closing_and_page_judge_a_case_once(
    tmp_path: Path, judged: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cases of two seeds, of two metrics an item each, and all reports; each metric has one verdict in the end."""
    monkeypatch.setattr(CASES, "_items", dict(CASES._items))
    for name in ("toy1", "toy2"):
        CASES.add(name, Case(name, "brightness", True, True, lambda work: Prepared(Bright(), "given")))
    tier = replace(TIERS["smoke"], protocol=Protocol(image_size=32))

    def session(name: str, baseline: str) -> Path:
        options = RunOptions(
            root=tmp_path, baseline=baseline, checkpoints=tmp_path, seeds=2, no_tune=True, independent=True
        )
        plan = RunPlan(adjusted(tier, options), options, dict.fromkeys(("toy1", "toy2"), frozenset()))
        store, source = RunStore(tmp_path / name), PhantomSource(PHANTOM, 24)
        run = open_run(Run, plan, ProgressReporter(), store, baseline_of(baseline, tmp_path), source)
        for metric in METRICS:  # pytest may order items either way
            for case in plan.cases:
                assert run.check(case, metric).status in HOLDS
        run.close()
        done = close(store.path)
        assert [(v.case, v.metric) for v in done.judgement.verdicts] == [
            (case, metric) for case in plan.cases for metric in METRICS
        ]
        assert (store.path / "index.html").exists()
        return store.path

    first = session("first", "none")
    assert judged == {}
    propose(first, "known", "for a test").new.save(tmp_path / "known.json")
    session("second", str(tmp_path / "known.json"))
    assert judged == {"toy1": 1, "toy2": 1}


@pytest.mark.nightly
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_session_of_pytest_judges_a_case_once(
    workers: list[str], pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two metrics an item each, and all reports."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    write_phantoms(tmp_path / "data", 30)
    pytester.makeconftest(SPY)
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider -p no:randomly")
    options = ["--pyargs", "btlib.suite.test_quality", "-m", "smoke", "-k", "toy", "--bt-image-size=32"]
    options += [f"--bt-data={tmp_path / 'data'}", "--bt-output=out", "-q"]

    def session(*more: str) -> tuple[Path, list[str]]:
        done = pytester.runpytest_subprocess(*options, *more)
        done.assert_outcomes(passed=4)
        (folder,) = (pytester.path / "out").iterdir()
        log = pytester.path / "judged.txt"
        return folder, log.read_text().split() if log.exists() else []

    folder, found = session("--bt-baseline=none")
    assert found == []
    accept(propose(folder, "known", "for a test"), tmp_path / "known.json")
    folder.rename(tmp_path / "first")
    folder, found = session(f"--bt-baseline={tmp_path / 'known.json'}", *workers)
    assert (folder / "index.html").exists()
    assert sorted(found) == ["toy1", "toy2"]
    assert statuses(kept(RunStore(folder))) == {"toy1": {"pass"}, "toy2": {"pass"}}


def test_nothing_is_judged_again_where_nothing_changed(store: RunStore, baseline: Baseline, judged: Counted) -> None:
    for case in "XYN":
        for metric in METRICS:
            assert judge_case(store, case, baseline, [metric]).verdict(metric) is not None
    whole = kept(store)
    written = (store.path / "judgement.json").stat()
    for _ in range(2):
        assert close(store.path).judgement == judge_run(store, load_baseline(Path(store.info().baseline))) == whole
    assert judged == {"X": 1, "Y": 1, "N": 1}
    now = (store.path / "judgement.json").stat()
    assert (now.st_ino, now.st_mtime_ns) == (written.st_ino, written.st_mtime_ns), "nor written again"


def test_every_metric_that_was_asked_for_stays_judged(store: RunStore, baseline: Baseline, judged: Counted) -> None:
    """Also where the case is judged anew."""
    judge_case(store, "X", baseline, ["iou"])
    judge_case(store, "X", baseline, ["dice"])
    assert judged["X"] == 1
    judge_case(store, "X", baseline, ["macro_f1"])
    change(store, "X", 2, seconds=9.0)
    for found in (judge_run(store, baseline).cases["X"], judge_case(store, "X", baseline)):
        assert [v.metric for v in found.verdicts] == [*METRICS, "macro_f1", "iou"]
        assert found.verdict("iou") is not None
        assert found.verdict("iou").status == "missing-baseline"  # type: ignore[union-attr]
        assert found.verdict("hd95") is None
    assert judged["X"] == 3
