"""What an item is told of a run: verdicts, seconds, maps and predictors; and what makes it fail."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.errors import BaselineError, BtlibWarning, ModelError
from btlib.explain.place import ExplainPlace
from btlib.gate import Verdict, judgement
from btlib.gate.gate_options import GateOptions
from btlib.gate.verdict import SubgroupDifference
from btlib.plugin import run as run_room
from btlib.plugin.benchmarks import recorded_clock
from btlib.plugin.options import STATUS
from btlib.plugin.reports import ERROR_OF
from btlib.plugin.run import Run
from btlib.runs import Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.measuring import MEASURES, Live
from tests.api.toys import Toys

MakeRun = Callable[..., Run]
Measure = Callable[[str, Callable[[Live], Mapping[str, object]]], None]


def failure_of(function: Callable[[], object]) -> tuple[str, object, object]:
    """Message, verdict and case of the failure of an item."""
    with pytest.raises(pytest.fail.Exception) as caught:
        function()
    return str(caught.value), getattr(caught.value, STATUS), getattr(caught.value, ERROR_OF)


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Registers what is measured, for one test."""

    def add(name: str, function: Callable[[Live], Mapping[str, object]]) -> None:
        len(MEASURES)  # those of plug-ins are there
        monkeypatch.setitem(MEASURES._items, name, function)

    return add


@pytest.mark.parametrize(
    ("error", "outcome"), [(RuntimeError("out of luck"), "error"), (MemoryError(), "out-of-memory")]
)
def test_a_case_that_failed_has_no_predictor(make_run: MakeRun, cases: Toys, error: Exception, outcome: str) -> None:
    cases.add("bad", error)
    run = make_run()
    for asked in (
        lambda: run.predictor_of("bad"),
        lambda: run.timing(Bench(), "bad", "inference", "inference, batch 1"),
        lambda: run.timing(Bench(enabled=False), "bad", "inference", "inference, batch 1"),
        lambda: run.explained("bad"),
    ):
        message, status, error_of = failure_of(asked)
        assert message.startswith("case bad has no predictor: ")
        assert type(error).__name__ in message
        assert (status, error_of) == (outcome, "bad (smoke)")
    assert cases.prepared == [("bad", 42)], "it is executed once"


def test_the_predictor_of_a_case_is_that_of_its_first_seed(make_run: MakeRun, cases: Toys) -> None:
    run = make_run("--bt-seed=9", "--bt-seeds=3")
    ready = run.predictor_of("toy1")
    assert ready.predictor.seed == 9  # type: ignore[attr-defined]
    assert run.predictor_of("toy1") is ready
    assert cases.prepared == [("toy1", 9)]


def test_a_metric_that_nobody_knows_fails_the_item_before_the_case_is_executed(make_run: MakeRun, cases: Toys) -> None:
    run = make_run()
    message, status, error_of = failure_of(lambda: run.check("toy1", "dise"))
    assert "did you mean 'dice'?" in message
    assert (status, error_of, cases.works) == ("error", None, [])


def test_without_a_baseline_any_metric_is_measured(make_run: MakeRun, cases: Toys) -> None:
    run = make_run()
    for metric in ("dice", "accuracy", "iou"):
        verdict = run.check("toy1", metric)
        assert (verdict.case, verdict.metric, verdict.status, verdict.measured) == ("toy1", metric, "measured", 1.0)
    assert [*run.judged] == [("toy1", "dice"), ("toy1", "accuracy"), ("toy1", "iou")]
    assert cases.prepared == [("toy1", 42)]


def test_a_baseline_that_cannot_be_had_fails_the_item(make_run: MakeRun) -> None:
    run = make_run(baseline=BaselineError("damaged"))
    message, status, error_of = failure_of(lambda: run.check("toy1", "dice"))
    assert "damaged" in message
    assert (status, error_of) == ("missing-baseline", None)


@pytest.mark.parametrize("strict", [False, True])
def test_the_gate_is_asked_with_what_the_user_asked_for(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    asked = list[Any]()

    def spy(result: Any, baseline: Any, against: Any, *, options: Any, found: Any = None) -> tuple[Verdict, ...]:
        seeds = [run.seed for run in result.runs]
        asked.append((result.case, sorted(result.metrics), seeds, baseline, against, options))
        return tuple(Verdict("toy1", metric, "improved" if metric == "dice" else "pass") for metric in result.metrics)

    monkeypatch.setattr(judgement, "verdicts", spy)
    given = ["--bt-strict", "--bt-alpha=0.2", "--bt-rescore"] if strict else []
    run = make_run("--bt-against=B,A", "--bt-seeds=2", *given)
    assert run.verdict("toy1", "dice").status == "improved"
    assert run.verdict("toy1", "accuracy").status == "pass"
    assert run.verdict("toy1", "iou").metric == "iou"
    options = GateOptions(strict=True, alpha=0.2, rescore=True) if strict else GateOptions()
    rest = ([42, 43], run.baseline, ["B", "A"], options)
    first, *_, last = asked
    assert first == ("toy1", ["accuracy", "dice"], *rest)
    assert last == ("toy1", ["accuracy", "dice", "iou"], *rest)
    assert len(asked) == 2, "a verdict is made once"


@pytest.mark.parametrize(
    ("status", "strict", "ends"),
    [
        *((status, strict, "holds") for status in ("improved", "pass", "measured") for strict in (False, True)),
        ("inconclusive", False, "warns"),
        ("inconclusive", True, "fails"),
        ("suspect", False, "warns"),
        ("suspect", True, "fails"),
        *(
            (status, strict, "fails")
            for status in ("regressed", "not-comparable", "missing-baseline")
            for strict in (False, True)
        ),
        *((status, False, "fails for the case") for status in ("error", "out-of-memory", "timeout")),
    ],
)
def test_what_a_verdict_does_to_its_item(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, status: Any, strict: bool, ends: str
) -> None:
    run = make_run("--bt-seed=9", "--bt-seeds=2", *(["--bt-strict"] if strict else []))
    verdict = Verdict("toy1", "dice", status, "why")
    monkeypatch.setattr(Run, "verdict", lambda self, case, metric: verdict)
    paths = [run.store.record_path(Cell("toy1", seed)) for seed in (9, 10)]
    message = f"case toy1, dice: {status.upper()}\n  why\n  record     {paths[0]}, {paths[1]}"
    if ends == "holds":
        assert run.check("toy1", "dice") is verdict
    elif ends == "warns":
        with pytest.warns(BtlibWarning) as warned:
            assert run.check("toy1", "dice") is verdict
        assert [str(warning.message) for warning in warned] == [message]
    else:
        whose = "toy1 (smoke)" if ends == "fails for the case" else None
        assert failure_of(lambda: run.check("toy1", "dice")) == (message, status, whose)
    assert run.judged == {("toy1", "dice"): verdict}


@pytest.mark.parametrize("strict", [False, True])
def test_a_lost_subgroup_warns_or_fails_if_strict(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    lost = SubgroupDifference("small third", "dice@size:small", 9, 0.1, 0.8, -0.7, -0.8, -0.6, 1e-9, warned=True)
    verdict = Verdict("toy1", "dice", "pass", subgroups=(lost,))
    monkeypatch.setattr(Run, "verdict", lambda self, case, metric: verdict)
    run = make_run(*(["--bt-strict"] if strict else []))
    if strict:
        message, status, whose = failure_of(lambda: run.check("toy1", "dice"))
        assert (status, whose) == ("suspect", None)
    else:
        with pytest.warns(BtlibWarning) as warned:
            assert run.check("toy1", "dice") is verdict
        (message,) = (str(warning.message) for warning in warned)
    assert "LOSS IN A SUBGROUP: small third (n = 9): 0.1000, baseline 0.8000" in message


class Bench:
    """As much of pytest-benchmark's fixture as a run uses; notes what it was made to time."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.group = ""
        self.extra_info: dict[str, object] = {}
        self.timed = list[Any]()

    def pedantic(self, function: Any, setup: Any = None, rounds: int = 1, iterations: int = 1) -> None:
        for _ in range(rounds):
            if setup is not None:
                setup()
            before = recorded_clock()
            function()
            self.timed.append(recorded_clock() - before)


FIGURE = "inference, batch 4"
TIMING = Timing(images=4, seconds=[0.25, 0.5, 0.125])


@pytest.fixture
def timed(measure: Measure) -> None:
    """Measuring the speed of any case gives one figure."""
    measure("inference", lambda live: {"speed": Speed(case=live.case.name, figures={FIGURE: TIMING})})


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize("status", ["pass", "slower", "not-judged", None])
def test_a_case_that_became_slower_fails_its_item(
    make_run: MakeRun, cases: Toys, monkeypatch: pytest.MonkeyPatch, status: str | None
) -> None:
    verdict = SimpleNamespace(status=status, reason="half as fast")
    judged = Mock(
        return_value=SimpleNamespace(throughput=lambda figure: verdict if status and figure == FIGURE else None)
    )
    monkeypatch.setattr(Run, "judgement", judged)
    run, bench = make_run("--bt-seed=9", "--bt-seeds=2"), Bench()
    if status == "slower":
        told = f"case toy1, {FIGURE}: SLOWER\n  half as fast"
        assert failure_of(lambda: run.timing(bench, "toy1", "inference", FIGURE)) == (told, "regressed", None)
    else:
        assert run.timing(bench, "toy1", "inference", FIGURE)
    judged.assert_called_once_with("toy1")
    assert bench.timed == TIMING.seconds
    assert bench.group == f"smoke: {FIGURE}"
    noted = {"case": "toy1", "images": 4, "task": "phantom"}
    assert bench.extra_info == noted | ({"gate": f"{status}: half as fast"} if status else {})
    assert cases.prepared == [("toy1", 9)], "speed is measured with the first seed"


@pytest.mark.usefixtures("timed")
def test_a_figure_that_a_case_does_not_have_is_none(make_run: MakeRun, measure: Measure) -> None:
    measure("training step", lambda live: {})
    run, bench = make_run(), Bench()
    assert not run.timing(bench, "toy1", "training step", "training step, batch 16"), "no speed at all"
    assert run.timing(bench, "toy1", "inference", FIGURE)
    assert not run.timing(bench, "toy1", "training step", "training step, batch 16")
    assert not run.timing(bench, "toy1", "inference", "inference, batch 5")
    assert bench.timed == TIMING.seconds


@pytest.mark.usefixtures("timed")
def test_speed_is_not_judged_without_a_baseline(make_run: MakeRun) -> None:
    run, bench = make_run(baseline=BaselineError("damaged")), Bench()
    assert run.timing(bench, "toy1", "inference", FIGURE)
    assert "gate" not in bench.extra_info
    assert bench.timed == TIMING.seconds


@pytest.mark.usefixtures("timed")
def test_where_benchmarks_are_off_no_speed_is_measured(make_run: MakeRun) -> None:
    run, bench = make_run(), Bench(enabled=False)
    assert run.timing(bench, "toy1", "inference", FIGURE)
    record = run.first_record("toy1")
    assert (record.measured, record.speed) == (["quality"], None)
    assert len(bench.timed) == 1, "or pytest-benchmark would warn that its fixture was not used"
    assert bench.extra_info == {}


def test_a_measure_that_failed_fails_the_items_that_read_it_and_no_others(make_run: MakeRun, measure: Measure) -> None:
    def refuses(live: Live) -> Mapping[str, object]:
        raise ModelError("cannot be asked", where=live.case.name)

    for name in ("inference", "explanation"):
        measure(name, refuses)
    measure("training step", lambda live: {"speed": Speed(case="toy1", figures={FIGURE: TIMING})})
    run, bench = make_run(), Bench()
    told = ("case toy1, inference: toy1: cannot be asked", "error", None)
    assert failure_of(lambda: run.timing(bench, "toy1", "inference", FIGURE)) == told
    assert bench.timed == []
    told = ("case toy1, explanation: toy1: cannot be asked", "error", None)
    assert failure_of(lambda: run.explained("toy1")) == told
    assert run.check("toy1", "dice").status == "measured"
    assert run.timing(bench, "toy1", "training step", FIGURE)
    assert run.predictor_of("toy1")


def test_what_is_explained_is_read_from_the_run(
    make_run: MakeRun, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def explain(live: Live) -> Mapping[str, object]:
        asked.append(live.case.name)
        if live.case.name == "toy1":
            path = live.store.explain_place.file("toy1", "json")
            path.parent.mkdir()
            path.touch()
        return {}

    measure("explanation", explain)
    run = make_run()
    monkeypatch.setattr(ExplainPlace, "at", lambda self, path: ("explained", path))
    monkeypatch.setattr(run_room.Maps, "load", lambda path: ("maps", path))
    place = run.store.explain_place
    expected = ("explained", place.file("toy1", "json")), ("maps", place.file("toy1", "npz"))
    assert run.explained("toy1") == run.explained("toy1") == expected
    assert run.explained("toy2") is None
    assert asked == ["toy1", "toy2"]


def test_maps_of_a_run_are_those_that_were_measured(make_run: MakeRun) -> None:
    """The measure itself: predictors that know the truth by the image are no longer sure where a patch is hidden."""
    run = make_run()
    found = run.explained("toy1")
    assert found is not None
    explained, maps = found
    assert maps.ids.tolist() == [row.id for row in explained.samples]
    assert {*maps.ids} <= {*run.truth.ids[run.split.test]}
    assert np.isfinite(maps.total).all()
