"""Seeds in stages: more are measured while a verdict is not clear, whoever asks, in whatever order."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btlib.api.benchmark_run import BenchmarkRun
from btlib.cases import CASES, Case, Work
from btlib.errors import BaselineError
from btlib.gate import judgement
from btlib.gate.loading import NotComparedError
from btlib.gate.verdict import UNCLEAR, WORST_FIRST
from btlib.runs import CaseRecord, RunStore
from btlib.runs.cell import Cell
from btlib.runs.execute import Result, run_case
from btlib.runs.executors import inprocess
from btlib.runs.progress import ProgressReporter
from btlib.runs.results import run_results

from .gates import Chosen, Known, gate
from .toys import Toys

MakeRun = Callable[..., BenchmarkRun]
Judge = Callable[..., list[tuple[str, int, int]]]


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Chooses the verdicts by case, metric and number of seeds; what the gate was asked is returned."""

    def chosen(**by_case: Any) -> list[tuple[str, int, int]]:
        asked: list[tuple[str, int, int]] = []
        monkeypatch.setattr(judgement, "verdicts", gate(by_case, asked))
        return asked

    return chosen


@pytest.fixture(autouse=True)
def _scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases are prepared, and all have the numbers of the first one, because the gate does not look at them."""

    def quick(case: Case, work: Work, tier: str, store: RunStore, *args: Any, fold: str | None = None) -> Result:
        if not RECORD or case.title == "fails":
            result = run_case(case, work, tier, store, *args, fold=fold)
            RECORD.extend([result.record] if result.prepared else [])
            return result
        record = RECORD[0].model_copy(update={"case": case.name, "seed": work.seed, "fold": fold})
        return Result(store.save_record(record), case.prepare(work))

    monkeypatch.setattr(inprocess, "run_case", quick)


RECORD = list[CaseRecord]()


@pytest.fixture
def start(make_run: MakeRun) -> MakeRun:
    """A run in up to five seeds of toys, which the baseline knows; another call is as another process."""

    def started(said: list[str] | None = None, baseline: Any = None, **options: Any) -> BenchmarkRun:
        progress = ProgressReporter(report=[].append if said is None else said.append)
        of = {"baseline": baseline or Known("toy1", "toy2"), "progress": progress}
        return make_run(of, **{"seeds": "1..5", **options})

    return started


def statuses(run: BenchmarkRun, case: str = "toy1") -> dict[str, str]:
    return {verdict.metric: verdict.status for verdict in run.judgement(case).verdicts}


@pytest.mark.parametrize(
    ("verdicts", "seeds", "said"),
    [
        ({}, 1, []),
        (
            {"dice": ["inconclusive", "inconclusive", "pass"]},
            3,
            ["case toy1: inconclusive with 1 seed, measuring seeds 43 and 44"],
        ),
        (
            {"accuracy": ["suspect", "regressed"]},
            3,
            ["case toy1: suspect with 1 seed, measuring seeds 43 and 44"],
        ),
        (
            {"dice": ["suspect", "pass"], "accuracy": ["inconclusive"] * 3 + ["pass", "improved"]},
            5,
            [
                "case toy1: inconclusive and suspect with 1 seed, measuring seeds 43 and 44",
                "case toy1: inconclusive with 3 seeds, measuring seeds 45 and 46",
            ],
        ),
        (
            {"dice": ["inconclusive"]},
            5,
            [
                "case toy1: inconclusive with 1 seed, measuring seeds 43 and 44",
                "case toy1: inconclusive with 3 seeds, measuring seeds 45 and 46",
            ],
        ),
    ],
    ids=["clear at once", "clear with three", "worse with three", "clear with five", "never clear"],
)
def test_seeds_are_added_until_all_verdicts_are_clear(
    start: MakeRun, cases: Toys, judge: Judge, verdicts: Any, seeds: int, said: list[str]
) -> None:
    asked = judge(toy1=verdicts)
    lines = list[str]()
    run = start(lines)
    found = statuses(run)
    assert found == {m: verdicts.get(m, ["pass"])[:seeds][-1] for m in ("dice", "accuracy")}
    assert cases.prepared == [("toy1", 42 + k) for k in range(seeds)]
    assert lines == said
    assert asked == [("toy1", n, 3) for n in (1, 3, 5) if n <= seeds], (
        "each stage is judged once, at a third of the level"
    )
    assert [r.seed for r in run.records("toy1")] == [42 + k for k in range(seeds)]
    assert run.cells("toy1") == run.plan.cells("toy1", seeds)
    info = run.store.info()
    assert info.stopped == ({"toy1": seeds} if seeds < 5 else {})
    assert run.store.lost() == {"toy2": [Cell("toy2", 42)]}
    result = next(one for one in run_results(run.store) if one.case == "toy1")
    assert (result.failure, len(result.runs)) == (None, seeds)
    judged = judgement.judge_run(run.store, run.baseline)
    assert judged.cases["toy1"].verdicts == run.judgement("toy1").verdicts
    assert len(asked) == len([n for n in (1, 3, 5) if n <= seeds]), "the end of the run does not judge it again"


@pytest.mark.parametrize("status", WORST_FIRST)
def test_only_what_more_seeds_may_decide_is_not_clear(start: MakeRun, cases: Toys, judge: Judge, status: str) -> None:
    judge(toy1={"dice": [status]})
    statuses(start(seeds="1..2"))
    assert len(cases.works) == (2 if status in UNCLEAR else 1)


@pytest.mark.parametrize(
    ("gated", "unclear", "expected"),
    [
        (("dice", "accuracy"), "accuracy", 3),
        (("dice", "accuracy", "iou"), "iou", 3),
        (("dice", "accuracy"), "iou", 1),
        (("dice",), "accuracy", 3),
    ],
    ids=["another one", "not declared by the case", "only requested by an item", "declared by the case"],
)
@pytest.mark.parametrize("requested", [[], ["dice"], ["dice", "accuracy", "iou"]], ids=len)
def test_all_metrics_of_case_and_baseline_decide_and_those_of_items_do_not(
    start: MakeRun,
    cases: Toys,
    judge: Judge,
    gated: tuple[str, ...],
    unclear: str,
    expected: int,
    requested: list[str],
) -> None:
    """With `-k dice` and without, and if the judgement of an earlier session has more metrics."""
    judge(toy1={unclear: ["inconclusive", "inconclusive", "pass"]})
    for _ in range(2):
        run = start(baseline=Known("toy1", gated=gated), seeds="1..3")
        run.first_record("toy1")
        judgement.judge_case(run.store, "toy1", run.baseline, requested, seeds=1)
        run.judgement("toy1", requested)
        assert (len(cases.works), len(run.cells("toy1"))) == (expected, expected)


def test_the_verdicts_on_a_case_are_its_own(start: MakeRun, cases: Toys, judge: Judge) -> None:
    judge(toy2={"dice": ["inconclusive"]})
    run = start(seeds="1..2")
    for case in ("toy2", "toy1"):
        run.judgement(case)
    assert cases.prepared == [("toy2", 42), ("toy2", 43), ("toy1", 42)]
    assert run.store.info().stopped == {"toy1": 1}


VERDICTS: Chosen = {
    "toy1": {"dice": ["inconclusive", "inconclusive", "pass"]},
    "toy2": {"accuracy": ["suspect", "suspect", "inconclusive", "inconclusive", "regressed"]},
}
BEGUN = (Cell("toy1", 42), Cell("toy1", 43), Cell("toy2", 44))


@pytest.mark.parametrize(
    "begun", [BEGUN, BEGUN[::-1], (BEGUN[1], BEGUN[0], BEGUN[2])], ids=["in order", "reversed", "mixed"]
)
@pytest.mark.parametrize("order", [("toy1", "toy2"), ("toy2", "toy1")], ids="-".join)
def test_workers_that_share_a_folder_come_to_one_end_in_any_order(
    start: MakeRun, cases: Toys, judge: Judge, begun: tuple[Cell, ...], order: tuple[str, str]
) -> None:
    """As with pytest-xdist: each worker has items of both cases, and comes while others are between stages."""
    judge(**VERDICTS)
    workers = [start(), start()]
    for worker, cell in zip(itertools.cycle(workers), begun, strict=False):
        worker.executor.submit(cell).result()  # it is in the midst of a stage
    for case, worker in itertools.product(order, reversed(workers)):
        status = "pass" if case == "toy1" else "regressed"
        assert status in statuses(worker, case).values()
        assert not {*UNCLEAR} & {*statuses(worker, case).values()}
    assert workers[0].store.info().stopped == {"toy1": 3}
    assert sorted(cases.prepared) == [("toy1", 42 + k) for k in range(3)] + [("toy2", 42 + k) for k in range(5)]


def test_a_worker_that_comes_late_does_not_judge_later_seeds_at_the_first_stage(
    start: MakeRun, cases: Toys, judge: Judge
) -> None:
    asked = judge(toy1={"dice": ["inconclusive", "pass"]})
    first = start()
    assert statuses(first)["dice"] == "pass"
    later = start()
    assert later.judgement("toy1") == first.judgement("toy1")
    assert (len(cases.works), later.store.info().stopped) == (3, {"toy1": 3})
    assert asked == [("toy1", 1, 3), ("toy1", 3, 3)]


def test_a_stage_is_judged_by_its_own_seeds_while_another_worker_writes_later_ones(
    start: MakeRun, judge: Judge
) -> None:
    judge(toy1={"dice": ["inconclusive", "pass"]})
    run = start()
    run.records("toy1")
    found = judgement.judge_case(run.store, "toy1", run.baseline, seeds=1).verdict("dice")
    assert found is not None
    assert (found.status, statuses(run)["dice"]) == ("inconclusive", "pass")


def test_a_number_of_seeds_is_measured_in_any_case(start: MakeRun, cases: Toys, judge: Judge) -> None:
    asked = judge()
    run = start(seeds=3)
    assert statuses(run) == {"dice": "pass", "accuracy": "pass"}
    assert cases.prepared == [("toy1", 42), ("toy1", 43), ("toy1", 44)]
    assert asked == [("toy1", 3, 1)], "judged once, at the whole level"
    info = run.store.info()
    assert (info.seeds, info.stages, info.stopped, info.looks) == ([42, 43, 44], [], {}, 1)
    assert run.store.lost() == {"toy2": [Cell("toy2", seed) for seed in (42, 43, 44)]}
    assert not (run.store.path / "stages").exists()
    assert len(run.header()) == 2


def test_a_case_that_fails_stops(start: MakeRun, cases: Toys, judge: Judge) -> None:
    judge()
    cases.add("toy1", RuntimeError("out of luck"))
    cases.put(replace(CASES["toy1"], title="fails"))
    run = start()
    assert set(statuses(run).values()) == {"error"}
    assert (cases.prepared, run.store.info().stopped) == ([("toy1", 42)], {"toy1": 1})


@pytest.mark.parametrize(
    ("baseline", "status"),
    [(NotComparedError("not asked for"), "measured"), (BaselineError("damaged"), "missing-baseline")],
)
def test_without_a_baseline_the_first_stage_is_measured_and_the_header_says_so(
    start: MakeRun, cases: Toys, baseline: BaselineError, status: str
) -> None:
    run = start(baseline=baseline, seeds="2..5")
    assert set(statuses(run).values()) == {status}
    assert cases.prepared == [("toy1", 42), ("toy1", 43)]
    assert run.store.info().stopped == {"toy1": 2}
    assert run.header()[2:] == ["  seeds: 2, the first stage of up to 5, because there is no baseline to decide by"]


def test_the_header_names_the_stages(start: MakeRun) -> None:
    assert start().header()[2:] == ["  seeds: stages of 1, 3 and 5, until the verdicts on a case are clear"]


def test_measures_are_of_the_first_cell_as_without_stages(
    start: MakeRun, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    from btlib.runs.measuring import MEASURES

    len(MEASURES)
    monkeypatch.setitem(MEASURES._items, "later", lambda live: {})
    judge(toy1={"dice": ["inconclusive"]})
    run = start(seeds="1..2")
    assert [r.measured for r in run.records("toy1", ["later"])] == [["quality", "later"], ["quality"]]
