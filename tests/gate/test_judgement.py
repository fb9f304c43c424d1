"""The judgement of a run: made once, kept, made anew where something changed, and never better than the records."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, files
from btlib.api.closing import close
from btlib.api.opening import baseline_of, open_run
from btlib.cases import CASES, Case, Prepared
from btlib.data import write_phantoms
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BaselineError, RecordError
from btlib.evaluation import summarise
from btlib.gate import judgement as module
from btlib.gate.acceptance import accept, propose
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.judgement import Judgement, judge_case, judge_run, judgement_of, stored_judgement
from btlib.gate.loading import NONE, NotComparedError, load_baseline
from btlib.gate.verdict import HOLDS, Verdict
from btlib.options import RunOptions, adjusted
from btlib.plugin.run import Run
from btlib.protocol import TIERS, Protocol
from btlib.reporting.html.views import view
from btlib.results import CaseResult, Conditions
from btlib.runs import CaseRecord, Cell, RunInfo, RunStore, Speed, Timing
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from btlib.sample_table import SampleTable
from btlib.types import Predictions

Table = Callable[..., SampleTable]
Make = Callable[..., CaseRecord]
Counted = Counter[str]

METRICS = ("dice", "accuracy")
SEEDS = [1, 2]


@pytest.fixture
def record(conditions: Conditions) -> Make:
    """The record of a cell with numbers; of one that failed without."""

    def make(case: str, table: SampleTable | None, seed: int = 1, **fields: Any) -> CaseRecord:
        usual: dict[str, Any] = {
            "title": f"case {case}",
            "tier": "smoke",
            "metrics": {"dice": 1, "accuracy": 1},
            "outcome": "done" if table else "error",
            "error": None if table else "out of luck",
            "conditions": conditions,
            "samples": table,
            "summary": summarise(table) if table else None,
            "seconds": 1.0,
            "environment": {},
            "created": "now",
        }
        return CaseRecord(case=case, seed=seed, **usual | fields)

    return make


@pytest.fixture
def baseline(measured_baseline: Callable[..., Baseline], make_table: Table) -> Baseline:
    """Of X, Y and Z, which are alike."""
    one = measured_baseline(make_table(wrong=2), make_table(wrong=3), margin=0.1)
    return one.model_copy(update={"cases": dict.fromkeys("XYZ", one.cases["X"])})


@pytest.fixture
def store(tmp_path: Path, record: Make, make_table: Table, baseline: Baseline) -> RunStore:
    """X as good as its baseline and Y worse, each with two seeds; N, which the baseline does not know."""
    baseline.save(tmp_path / "known.json")
    store = RunStore(tmp_path / "run")
    store.save_info(
        RunInfo(
            **{"tier": "smoke", "command": "pytest", "baseline": str(tmp_path / "known.json"), "task": PHANTOM},
            **{"data": "60 samples", "started": "now", "cases": ["X", "Y", "N"], "seeds": SEEDS},
            image_size=32,
        )
    )
    for case, wrong in {"X": 2, "Y": 30, "N": 4}.items():
        for seed in SEEDS:
            store.save_record(record(case, make_table(wrong=wrong + seed - 1), seed))
    return store


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How often each case was held against the baseline."""
    counts: Counted = Counter()
    for name in ("judge", "judge_new"):
        real = getattr(module, name)

        def spied(result: CaseResult, *args: Any, real: Any = real, **more: Any) -> tuple[Verdict, ...]:
            counts[result.case] += 1
            return tuple(real(result, *args, **more))

        monkeypatch.setattr(module, name, spied)
    return counts


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw figures takes most of a page's time, and no verdict is made there."""
    monkeypatch.setattr("btlib.reporting.html.write.figures", lambda *what: ())
    monkeypatch.setattr("btlib.reporting.figures.significance_matrix", lambda *what: None)


def change(store: RunStore, case: str, seed: int, **fields: Any) -> None:
    found = store.record(Cell(case, seed))
    assert found is not None
    store.save_record(found.model_copy(update=fields))


def inform(store: RunStore, **fields: Any) -> RunInfo:
    info = store.info().model_copy(update=fields)
    store.save_info(info)
    return info


def kept(store: RunStore) -> Judgement:
    return Judgement.load(store.path / "judgement.json")


def statuses(judgement: Judgement) -> dict[str, set[str]]:
    return {case: {v.status for v in found.verdicts} for case, found in judgement.cases.items()}


# Once


SPY = """
import numpy as np

import btlib.gate.judgement as room
from btlib.cases import Prepared, case
from btlib.types import Predictions

held = room.judge


def judge(result, *args, **more):
    with open("judged.txt", "a") as file:
        print(result.case, file=file)
    return held(result, *args, **more)


room.judge = judge


class Bright:
    def predict(self, images):
        classes = np.tile([0.5, 0.25, 0.25], (len(images), 1))
        return Predictions(np.clip(images / images.max(), 0, 1), classes)


for name in ("toy1", "toy2"):
    case(name, "brightness", has_mask=True, has_classes=True)(lambda work: Prepared(Bright(), "given"))
"""


class Bright:
    """Predicts brightness, and the first class a little more than the others."""

    def predict(self, images: np.ndarray) -> Predictions:
        classes = np.tile([0.5, 0.25, 0.25], (len(images), 1))
        return Predictions(np.clip(images / images.max(), 0, 1), classes)


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


# Kept


def test_the_file_is_read_back_equal(store: RunStore, baseline: Baseline, make_table: Table) -> None:
    """Verdicts of several seeds, where a new case stands, and speed."""
    timing = Timing(images=16, seconds=[0.1, 0.11, 0.1, 0.1], reference="r", reference_seconds=[1.0, 1.1, 1.2, 1.0])
    cases = dict(baseline.cases)
    cases["X"] = cases["X"].model_copy(update={"speed": {"inference, batch 16": timing.throughput}})
    known = baseline.model_copy(update={"cases": cases})
    slow = timing.model_copy(update={"seconds": [9.0, 9.1, 9.2, 9.0]})
    change(store, "X", 1, speed=Speed(case="X", figures={"inference, batch 16": slow, "training": timing}))
    made = judge_run(store, known)
    assert kept(store) == made
    assert stored_judgement(store, store.info(), known) == made
    x, n = made.cases["X"], made.cases["N"]
    assert [len(v.seeds) for v in x.verdicts] == [len(v.baseline_seeds) for v in x.verdicts] == [2, 2]
    assert [(p.figure, p.status) for p in x.speed] == [("inference, batch 16", "slower"), ("training", "not-judged")]
    assert x.throughput("training") == x.speed[1]
    assert x.throughput("nothing") is None
    assert {(s.reference, s.metric) for s in n.rankings} == {(case, metric) for case in "XYZ" for metric in METRICS}
    assert x.rankings == made.cases["Y"].rankings == []
    assert statuses(made)["X"] == {"pass"}
    assert "regressed" in statuses(made)["Y"]
    assert [v.case for v in made.verdicts] == ["N", "N", "X", "X", "Y", "Y"]


def test_a_changed_record_is_judged_anew_and_no_other_case(
    store: RunStore, baseline: Baseline, judged: Counted, make_table: Table
) -> None:
    before = judge_run(store, baseline)
    for seed in SEEDS:
        change(store, "X", seed, samples=make_table(wrong=55))
    after = judge_run(store, baseline)
    assert judged == {"X": 2, "Y": 1, "N": 1}
    assert "regressed" not in statuses(before)["X"]
    assert "regressed" in statuses(after)["X"]
    assert {case: after.cases[case] for case in "YN"} == {case: before.cases[case] for case in "YN"}
    assert kept(store) == after
    change(store, "Y", 1, environment={"cpu": "another"})  # speed is judged by it
    judge_case(store, "Y", baseline)
    assert judged == {"X": 2, "Y": 2, "N": 1}


def test_a_record_that_is_put_back_needs_no_third_judgement_of_others(
    store: RunStore, baseline: Baseline, judged: Counted, make_table: Table
) -> None:
    before = judge_run(store, baseline)
    whole = store.record(Cell("X", 2))
    assert whole is not None
    change(store, "X", 2, samples=make_table(wrong=55))
    judge_run(store, baseline)
    store.save_record(whole)
    assert judge_run(store, baseline) == before
    assert judged == {"X": 3, "Y": 1, "N": 1}


def as_other(baseline: Baseline, **fields: Any) -> Baseline:
    return baseline.model_copy(update=fields)


def with_margin(baseline: Baseline, margin: float) -> Baseline:
    def wide(case: BaselineCase) -> BaselineCase:
        figures = [figure.model_copy(update={"margin": margin}) for figure in case.figures]
        return case.model_copy(update={"figures": figures})

    return as_other(baseline, cases={name: wide(case) for name, case in baseline.cases.items()})


def test_another_baseline_is_another_judgement(store: RunStore, baseline: Baseline, judged: Counted) -> None:
    """Also where its name is the same; and none of the old verdicts is left."""
    first = judge_run(store, baseline)
    wide = judge_run(store, with_margin(baseline, 0.9))
    assert judged == {"X": 2, "Y": 2, "N": 2}
    assert statuses(wide)["Y"] == {"pass"}
    assert {v.margin for v in wide.verdicts} == {0.9}
    assert judge_run(store, baseline) == first
    alone = judge_case(store, "X", with_margin(baseline, 0.8))
    assert list(kept(store).cases) == ["X"]
    assert {v.margin for v in alone.verdicts} == {0.8}


@pytest.mark.parametrize("fields", [{"against": ["Y"]}, {"strict": True}], ids=["against", "strict"])
def test_how_it_is_compared_is_part_of_it(
    fields: dict[str, Any], store: RunStore, baseline: Baseline, judged: Counted
) -> None:
    rendered = baseline.conditions.model_copy(update={"input_fingerprint": "other"})
    known = as_other(baseline, conditions=rendered)
    judge_run(store, known)
    inform(store, **fields)
    found = judge_run(store, known)
    assert judged == {"X": 2, "Y": 2, "N": 2}
    assert {s.reference for s in found.cases["N"].rankings} == set(fields.get("against", "XYZ"))
    assert (statuses(found)["X"] == {"not-comparable"}) == ("strict" in fields)


def test_a_baseline_that_cannot_be_read_is_none_forever(store: RunStore, baseline: Baseline, judged: Counted) -> None:
    """Each reason is a judgement of its own; with none asked for, numbers are only measured."""
    lost = judge_run(store, BaselineError("no such file", where="b.json"))
    assert statuses(lost) == {case: {"missing-baseline"} for case in "NXY"}
    other = judge_run(store, BaselineError("is damaged", where="b.json"))
    assert {v.reason for v in other.verdicts} == {"b.json: is damaged"}
    none = judge_run(store, NotComparedError("asked for"))
    assert statuses(none) == {case: {"measured"} for case in "NXY"}
    assert (lost.baseline is None, none.baseline is None) == (False, True)
    assert lost.baseline != other.baseline
    assert all(case.rankings == case.speed == [] for case in [*lost.cases.values(), *none.cases.values()])
    assert judged == {}
    assert statuses(judge_run(store, baseline))["X"] == {"pass"}


# What is missing


@pytest.mark.parametrize("whole_first", [False, True])
def test_a_case_of_which_a_seed_has_no_record_fails(
    whole_first: bool, store: RunStore, baseline: Baseline, record: Make, make_table: Table
) -> None:
    """However good the others are, whoever judges, and whatever was judged before it was lost."""
    if whole_first:
        assert statuses(judge_run(store, baseline))["X"] == {"pass"}
    lost = store.record(Cell("X", 2))
    assert lost is not None
    store.record_path(lost.cell).unlink()
    for found in (judge_case(store, "X", baseline, METRICS), judge_run(store, baseline).cases["X"]):
        assert [(v.metric, v.status) for v in found.verdicts] == [(metric, "error") for metric in METRICS]
        assert {v.reason for v in found.verdicts} == {
            "no record of X, seed 2: the run was interrupted or is still running"
        }
        assert all(v.failed for v in found.verdicts)
    assert statuses(judge_run(store, NotComparedError("asked for")))["X"] == {"error"}
    assert statuses(judge_run(store, BaselineError("no such file")))["X"] == {"error"}
    store.save_record(lost)
    assert statuses(judge_run(store, baseline))["X"] == {"pass"}


def test_a_new_case_of_which_a_seed_has_no_record_fails_and_stands_nowhere(store: RunStore, baseline: Baseline) -> None:
    store.record_path(Cell("N", 1)).unlink()
    found = judge_case(store, "N", baseline)
    assert [(v.metric, v.status) for v in found.verdicts] == [(metric, "error") for metric in METRICS]
    assert found.rankings == []


def test_a_case_of_which_a_fold_has_no_record_fails(
    store: RunStore, baseline: Baseline, record: Make, make_table: Table
) -> None:
    inform(store, folds=["a", "b"], cases=["X"], seeds=[1])
    for path in store.record_paths():
        path.unlink()
    store.save_record(record("X", make_table(wrong=2), 1, fold="a"))
    (reason,) = {v.reason for v in judge_run(store, baseline).verdicts}
    assert reason == "no record of X, b, seed 1: the run was interrupted or is still running"
    assert statuses(judge_run(store, baseline)) == {"X": {"error"}}


def test_a_failed_seed_is_told_before_a_missing_one(store: RunStore, baseline: Baseline) -> None:
    inform(store, seeds=[1, 2, 3])
    change(store, "X", 2, outcome="timeout", error="too slow", samples=None, summary=None)
    assert {(v.status, v.reason) for v in judge_case(store, "X", baseline).verdicts} == {
        ("timeout", "seed 2: too slow")
    }


@pytest.mark.parametrize("damage", [b"{", b"", None], ids=["cut short", "empty", "gone"])
def test_a_damaged_record_is_no_pass_on_the_page_either(
    damage: bytes | None, store: RunStore, baseline: Baseline
) -> None:
    """The page is made of what can be read; the file of the judgement stays as it was, and is right again later."""
    whole = judge_run(store, baseline)
    path = store.record_path(Cell("X", 2))
    content = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
        with pytest.raises(RecordError, match="X-seed2"):
            judge_run(store, baseline)
        with pytest.raises(RecordError, match="X-seed2"):
            judge_case(store, "X", baseline)
    shown = view(store.path)
    rows = {row.case: row for row in shown.comparison.rows}
    assert (rows["X"].status, {v.status for v in rows["X"].verdicts}) == ("error", {"error"})
    assert not {v.status for v in shown.judgement.cases["X"].verdicts} & set(HOLDS)
    assert "no record of X, seed 2" in rows["X"].verdicts[0].reason
    assert shown.unread
    assert {case: shown.judgement.cases[case] for case in "YN"} == {case: whole.cases[case] for case in "YN"}
    assert kept(store) == whole
    path.write_bytes(content)
    assert view(store.path).judgement == judge_run(store, baseline) == whole


def test_a_case_without_any_record_has_no_verdict(store: RunStore, baseline: Baseline) -> None:
    """And none is kept of one whose records are gone: it is missing, which reports say."""
    judge_run(store, baseline)
    for seed in SEEDS:
        store.record_path(Cell("Y", seed)).unlink()
    assert list(judge_run(store, baseline).cases) == list(kept(store).cases) == ["N", "X"]
    assert view(store.path).comparison.missing == ("Y",)
    assert close(store.path).missing == ("Y",)


# On what it rests


def test_verdicts_depend_on_the_cases_own_records_and_the_baseline_alone(
    store: RunStore, baseline: Baseline, record: Make, make_table: Table
) -> None:
    """Whatever other cases there are: as good, far worse, new ones, failed ones, on other data, of other seeds."""
    info, records = store.info(), store.records()
    more = record("M", make_table(wrong=40, worse=0.3), 1), record("M", make_table(wrong=41), 2)
    other = [
        one.model_copy(update={"conditions": one.conditions.model_copy(update={"image_size": 64})}) for one in more
    ]
    failed = [record("F", None, seed) for seed in SEEDS]
    groups = [[r for r in records if r.case == "X"], [r for r in records if r.case == "Y"], list(more), other, failed]
    alone = [r for r in records if r.case == "N"]
    nothing = Judgement(baseline=baseline.identity, against=None, strict=False)
    expected = judgement_of(nothing, info, alone, baseline).cases["N"]
    assert expected.rankings
    assert all(s.p_holm is not None for s in expected.rankings)
    every = [one for group in groups if group is not other for one in group]
    for beside in (*groups, every):
        assert judgement_of(nothing, info, [*beside, *reversed(alone)], baseline).cases["N"] == expected


def test_a_record_that_is_added_or_removed_changes_no_other_case(
    store: RunStore, baseline: Baseline, record: Make, make_table: Table, judged: Counted
) -> None:
    before = judge_run(store, baseline)
    inform(store, cases=["X", "Y", "N", "Z"])
    for seed in SEEDS:
        store.save_record(record("Z", make_table(wrong=2), seed))
    added = judge_run(store, baseline)
    assert {case: added.cases[case] for case in "XYN"} == dict(before.cases)
    assert statuses(added)["Z"] == {"pass"}
    for seed in SEEDS:
        store.record_path(Cell("Z", seed)).unlink()
    assert judge_run(store, baseline).cases == before.cases
    store.record_path(Cell("Y", 1)).unlink()
    removed = judge_run(store, baseline)
    assert {case: removed.cases[case] for case in "XN"} == {case: before.cases[case] for case in "XN"}
    assert statuses(removed)["Y"] == {"error"}
    assert judged == {"X": 1, "Y": 2, "N": 1, "Z": 1}


def test_numbers_that_are_none_are_kept_as_none_and_stay_failures(
    store: RunStore, baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON has no word for them. The gate calls what has no difference not comparable."""
    nan, inf = float("nan"), float("inf")
    told = Verdict(
        *("X", "dice", "not-comparable", "undefined"),
        **{"measured": nan, "baseline": 0.9, "margin": 0.02, "difference": nan, "low": -inf, "high": inf},
        **{"method": "paired by sample", "seeds": (0.5, nan), "baseline_seeds": (0.9, 0.9)},
    )
    monkeypatch.setattr(module, "judge", lambda result, *args, **more: (told,))
    real = module.rankings
    monkeypatch.setattr(
        module, "rankings", lambda *args, **more: [replace(s, difference=nan, low=-inf) for s in real(*args, **more)]
    )
    made = judge_run(store, baseline)
    text = (store.path / "judgement.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert kept(store) == made
    (found,) = made.cases["X"].verdicts
    assert found == replace(told, measured=None, difference=None, low=None, high=None, seeds=())
    assert found.failed
    assert all((s.difference, s.low) == (None, None) for s in made.cases["N"].rankings)
    assert all(s.high is not None for s in made.cases["N"].rankings)


def test_a_sample_without_a_value_is_no_pass(
    store: RunStore, record: Make, make_table: Table, conditions: Conditions, changed: Callable[..., SampleTable]
) -> None:
    """A published mean of what is undefined for some samples: real numbers that are none, from table to file."""
    table = make_table()
    empty = {f"tumour__{name}": [0, *table.columns[f"tumour/{name}"][1:]] for name in ("truth_area", "intersection")}
    figure = ReferenceValue(metric="sensitivity", value=0.9, aggregation="slice-mean", margin=0.9, source="paper")
    known = Baseline(
        **{"name": "paper", "kind": "published", "title": "a paper", "source": "paper", "created": "2025"},
        **{"reason": "test", "conditions": conditions},
        cases={"X": BaselineCase(title="a case", figures=[figure])},
    )
    for seed in SEEDS:
        store.save_record(record("X", changed(table, **empty), seed, metrics={"sensitivity": 1}))
    found = judge_run(store, known).cases["X"]
    assert kept(store).cases["X"] == found
    (verdict,) = found.verdicts
    assert verdict.failed
    assert (verdict.difference, verdict.low, verdict.high) == (None, None, None)


# One file, several writers


@pytest.mark.parametrize("how", ["case", "run"])
def test_the_file_is_read_and_written_under_its_lock(
    how: str, store: RunStore, baseline: Baseline, is_locked: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = store.path / "judgement.json.lock"
    seen: list[tuple[str, bool]] = []
    save, load = Judgement.save, Judgement.load.__func__  # type: ignore[attr-defined]

    def saved(self: Judgement, path: Path) -> None:
        seen.append(("save", is_locked(lock)))
        save(self, path)

    def loaded(cls: type[Judgement], path: Path) -> Judgement:
        seen.append(("load", is_locked(lock)))
        return load(cls, path)  # type: ignore[no-any-return]

    monkeypatch.setattr(Judgement, "save", saved)
    monkeypatch.setattr(Judgement, "load", classmethod(loaded))
    if how == "case":
        judge_case(store, "Y", baseline)
        judge_case(store, "X", baseline)
    else:
        judge_run(store, baseline)
        change(store, "X", 1, seconds=2.0)
        judge_run(store, baseline)
    assert seen == [("save", True), ("load", True), ("save", True)]
    assert not is_locked(lock)


def test_no_verdict_of_another_writer_is_lost(
    store: RunStore, baseline: Baseline, judged: Counted, record: Make, make_table: Table
) -> None:
    cases = [*"XYN", *(f"more{k}" for k in range(5))]
    inform(store, cases=cases)
    for case in cases[3:]:
        for seed in SEEDS:
            store.save_record(record(case, make_table(wrong=4), seed))
    together = Barrier(len(cases))

    def judge_one(case: str) -> Any:
        together.wait()
        return judge_case(store, case, baseline)

    with ThreadPoolExecutor(len(cases)) as pool:
        made = dict(zip(cases, pool.map(judge_one, cases), strict=True))
    assert kept(store).cases == made
    assert list(kept(store).cases) == sorted(cases)
    assert judged == dict.fromkeys(cases, 1)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def better(content: bytes) -> bytes:
    """Someone wrote a better word into it."""
    assert b"regressed" in content
    return content.replace(b"regressed", b"improved")


def of_later(content: bytes) -> bytes:
    value = {key: field for key, field in json.loads(content).items() if key not in ("digest", "sealed")}
    return json.dumps(files.sealed(value | {"schema": "btlib-judgement/2"})).encode()


DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "cut short": cut,
    "empty": lambda content: b"",
    "other bytes": lambda content: bytes(range(256)),
    "a list": lambda content: b"[]",
    "changed by hand": better,
    "of a later version": of_later,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_made_anew(how: str, store: RunStore, baseline: Baseline, judged: Counted) -> None:
    whole = judge_run(store, baseline)
    path = store.path / "judgement.json"
    content = path.read_bytes()
    path.write_bytes(DAMAGE[how](content))
    assert view(store.path).judgement == whole
    assert path.read_bytes() == DAMAGE[how](content), "looking at a run changes nothing"
    assert judge_case(store, "Y", baseline) == whole.cases["Y"]
    assert judge_run(store, baseline) == kept(store) == whole
    assert judged == {"X": 3, "Y": 3, "N": 3}


# Runs of before


CONDITIONS = {
    "task": PHANTOM.model_dump(mode="json"),
    **{"truth_fingerprint": "t1", "input_fingerprint": "i1", "split_name": "slice-seed42", "split_fingerprint": "s1"},
    **{"n_test": 6, "test_class_counts": [2, 2, 2], "image_size": 96, "scaling": "thesis", "threshold": 0.65},
    **{"epsilon": 1e-06, "patients": {"source": "files", "n_test": 6, "seen": 0}, "independent": False},
}
SAMPLES = {
    "id": ["158", "172", "92", "229", "40", "160"],
    "label": [0, 1, 2, 0, 1, 2],
    "patient": ["a", "b", "c", "d", "e", "f"],
    "volume": None,
    "classes": ["meningioma", "glioma", "pituitary"],
    "structures": ["tumour"],
    "columns": {
        "tumour/truth_area": [100, 200, 300, 100, 200, 300],
        "tumour/intersection": [80, 170, 270, 80, 190, 240],
        "tumour/pred_area": [100, 200, 300, 100, 200, 300],
        "probability/meningioma": [0.8, 0.1, 0.1, 0.1, 0.1, 0.1],
        "probability/glioma": [0.1, 0.8, 0.1, 0.8, 0.8, 0.1],
        "probability/pituitary": [0.1, 0.1, 0.8, 0.1, 0.1, 0.8],
    },
}
RECORD = {
    **{"schema": "btlib-record/3", "case": "D", "title": "naive joint", "tier": "smoke", "seed": 42},
    **{"metrics": {"dice": 1, "accuracy": 1}, "outcome": "done", "error": None, "conditions": CONDITIONS},
    **{"samples": SAMPLES, "summary": {"n": 6}, "threshold_curve": None, "curves_sha256": None},
    **{"batch_mean_size": 16, "images_per_second": 897.16, "peak_memory_mib": 1022.3, "seconds": 10.9},
    **{"prepare_seconds": 10.6, "predict_seconds": 0.05},
    "model": {
        **{"source": "trained", "fingerprint": "a4416e86a894cb17", "seconds": 10.1},
        **{"details": {"device": "cpu"}, "notes": ["weights: none"]},
    },
    "code": {"file": "thesis_cases.py", "digest": "fd06f34c6040cad5", "commit": None, "dirty": None},
    "environment": {"python": "3.11.7", "machine": "4e4ebb9b6bde2c40"},
    "created": "2026-11-30T08:04:24+00:00",
}
FIGURE = {
    **{"images": 16, "device": "cpu", "gpu": None, "engine": "eager", "precision": "fp32"},
    **{"seconds": [0.1, 0.1, 0.1, 0.1], "thesis_seconds": [0.2, 0.2, 0.2, 0.2], "peak_memory_mib": 1013.4},
    **{"thesis_peak_memory_mib": 844.4, "device_memory_mib": None, "joules_per_image": None},
    "gflop_per_image": 0.111826112,
}
SPEED = {
    **{"case": "D", "figures": {"inference, batch 16": FIGURE}, "ceilings": {"fp32": 0.17}},
    **{"machine": "4e4ebb9b6bde2c40", "seconds": 3.5},
}
NOISE = FIGURE | {"device": None, "engine": None, "precision": None, "thesis_seconds": [0.11, 0.09, 0.1, 0.1]}
INFO = {
    **{"tier": "smoke", "command": "pytest benchmarks -m smoke -q", "task": CONDITIONS["task"]},
    **{"data": "240 PHANTOM samples (synthetic), 96 px", "data_folder": None, "image_size": 96},
    "recipe": {"name": "smoke", "backbone": "tiny", "weights": "none", "epochs": 12, "scaling": None},
    **{"against": None, "strict": False, "cases": ["D"], "seeds": [42], "commit": "faed080de098", "dirty": False},
    **{"load_seconds": 2.4, "started": "2026-11-30T08:02:26+00:00"},
}


@pytest.fixture
def before(tmp_path: Path) -> RunStore:
    """A run as btlib wrote it before judgements were kept, word for word."""
    home = tmp_path / "before"
    for name, value in {
        "run.json": INFO | {"baseline": str(tmp_path / "known.json")},
        "records/D-seed42.json": RECORD,
        "speed/D.json": SPEED,
        "noise.json": NOISE,
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        files.write_json(home / name, files.sealed(value))
    return RunStore(home)


def test_reports_of_a_run_of_before_still_work(before: RunStore, tmp_path: Path, judged: Counted) -> None:
    inform(before, baseline=str(NONE))
    accept(propose(before.path, "known", "for a test"), tmp_path / "known.json")
    inform(before, baseline=str(tmp_path / "known.json"))
    assert not (before.path / "judgement.json").exists()
    shown = view(before.path)
    assert not (before.path / "judgement.json").exists(), "looking at a run changes nothing"
    (row,) = shown.comparison.rows
    assert (row.case, row.status, row.source, shown.unread) == ("D", "pass", "trained", ())
    assert row.values["accuracy"] == pytest.approx(5 / 6)
    assert row.values["dice"] == pytest.approx((0.8 + 0.85 + 0.9 + 0.8 + 0.95 + 0.8) / 6)
    throughput = row.speeds["inference, batch 16"]
    assert (throughput.images_per_second, throughput.ratio, throughput.reference) == pytest.approx(
        (160.0, 2.0, "thesis path")
    )
    assert shown.noise is not None
    assert shown.noise.reference_seconds == NOISE["thesis_seconds"]
    for _ in range(2):
        done = close(before.path)
        assert statuses(done.judgement) == {"D": {"pass"}}
        assert done.missing == ()
    assert kept(before) == done.judgement
    assert judged == {"D": 2}  # once to look, which keeps nothing, and once to close
    text = (before.path / "speed.md").read_text()
    assert "Noise floor: the reference, compared with itself, is" in text
    assert "| 160.0 " in text
    page = (before.path / "index.html").read_text()
    assert "Every case that was compared with a baseline passed the comparison." in page
    assert "Could not be read" not in page


def test_a_run_of_before_that_does_not_tell_its_seeds_misses_none(before: RunStore) -> None:
    """It cannot be known; a case that was selected for this run but has no record is told all the same."""
    value = {name: field for name, field in INFO.items() if name != "seeds"}
    value |= {"cases": ["D", "E"], "baseline": str(NONE)}
    files.write_json(before.path / "run.json", files.sealed(value))
    assert statuses(judge_run(before, NotComparedError("asked for"))) == {"D": {"measured"}}
    assert {v.status for v in judge_case(before, "D", NotComparedError("asked for")).verdicts} == {"measured"}
    assert statuses(view(before.path).judgement) == {"D": {"measured"}}
    assert close(before.path).missing == ("E",)
