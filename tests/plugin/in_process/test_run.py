"""One run: what a case is given, how often it is executed, whose predictor is used, what a verdict does."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.baselines import Verdict
from btlib.cases import Case, Prepared, Work
from btlib.errors import BaselineError, BtlibWarning
from btlib.plugin import run as run_room
from btlib.plugin.options import STATUS
from btlib.plugin.reports import ERROR_OF
from btlib.plugin.run import Run
from btlib.plugin.terminal import Terminal
from btlib.plugin.throughput import Throughput
from btlib.runs.execute import Result, run_case
from btlib.speed import memory

MakeRun = Callable[..., Run]


def failure_of(function: Callable[[], object]) -> tuple[str, object, object]:
    """Message, verdict and case of the failure of an item."""
    with pytest.raises(pytest.fail.Exception) as caught:
        function()
    return str(caught.value), getattr(caught.value, STATUS), getattr(caught.value, ERROR_OF)


def test_a_case_and_seed_is_executed_once_however_many_items_ask(make_run: MakeRun, cases: Any) -> None:
    run = make_run("--bt-seed=9", "--bt-seeds=2")
    first = run.record("toy1", 9)
    assert run.record("toy1", 9) == first
    assert first.outcome == "done"
    assert (first.case, first.seed, first.tier) == ("toy1", 9, "smoke")
    assert [seed.seed for seed in run.result("toy1").runs] == [9, 10], "by number, not by text"
    assert run.result("toy2").case == "toy2"
    assert run.prepared("toy2").predictor.seed == 9  # type: ignore[attr-defined]
    assert cases.prepared == [("toy1", 9), ("toy1", 10), ("toy2", 9), ("toy2", 10)]
    assert [(record.case, record.seed) for record in run.folder.records()] == cases.prepared


def test_a_case_is_executed_under_the_lock_of_its_record(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, is_locked: Callable[[Path], bool]
) -> None:
    run = make_run("--bt-timeout=77")
    seen, speaking = list[tuple[bool, ...]](), list[bool]()

    @contextmanager
    def speak(self: Terminal) -> Iterator[None]:
        speaking.append(True)
        yield
        speaking.pop()

    monkeypatch.setattr(Terminal, "speaking", speak)

    def spy(case: Case, work: Work, *args: Any) -> Result:
        paths = [run.folder.record_path(case.name, work.seed), run.folder.record_path("toy2", 5)]
        paths += [run.folder.record_path(case.name, 6)]
        seen.append(tuple(is_locked(Path(f"{path}.lock")) for path in paths))
        tier, folder, data, timeout = args
        assert (tier, folder, timeout) == ("smoke", run.folder, 77)
        assert (data.truth, data.split) == (run.truth, run.split)
        assert data.given.ids.tolist() == run.truth.ids.tolist()
        assert speaking, "a training may draw its progress"
        return run_case(case, work, *args)

    monkeypatch.setattr(run_room, "run_case", spy)
    run.record("toy1", 5)
    run.record("toy1", 5)
    assert seen == [(True, False, False)], "another case or seed is not waited for"
    assert not is_locked(Path(f"{run.folder.record_path('toy1', 5)}.lock"))


@pytest.mark.parametrize("first", [4, 9])
def test_the_predictor_is_that_of_the_first_seed(make_run: MakeRun, cases: Any, first: int) -> None:
    run = make_run(f"--bt-seed={first}", "--bt-seeds=3", "--bt-retrain")
    run.result("toy1")
    assert run.prepared("toy1").predictor.seed == first  # type: ignore[attr-defined]
    assert len(cases.works) == 3, "it was kept"
    run.record("toy2", first)
    again = run.prepared("toy1")
    assert again.predictor.seed == first  # type: ignore[attr-defined]
    assert [work.retrain for work in cases.works] == [True, True, True, True, False], "retrained once for each seed"
    assert run.prepared("toy1") is again


def test_a_predictor_is_asked_for_without_a_record(make_run: MakeRun, cases: Any) -> None:
    run = make_run("--bt-seed=3", "--bt-seeds=2")
    assert run.prepared("toy2").predictor.seed == 3  # type: ignore[attr-defined]
    assert cases.prepared == [("toy2", 3)]


@pytest.mark.parametrize(
    ("error", "outcome"), [(RuntimeError("out of luck"), "error"), (MemoryError(), "out-of-memory")]
)
def test_a_case_that_failed_has_no_predictor(make_run: MakeRun, cases: Any, error: Exception, outcome: str) -> None:
    cases.add("bad", error)
    run = make_run()
    message, status, error_of = failure_of(lambda: run.prepared("bad"))
    assert message.startswith("case bad has no predictor: ")
    assert type(error).__name__ in message
    assert (status, error_of) == (outcome, "bad (smoke)")
    assert run.result("bad").failure == outcome
    assert cases.prepared == [("bad", 42)]


def test_one_predictor_is_alive_at_a_time(make_run: MakeRun, cases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    released = Mock()
    monkeypatch.setattr(memory, "release", released)
    alive = weakref.ref(run.prepared("toy1").predictor)
    assert alive() is not None
    released.reset_mock()
    speed = run.__dict__["speed"] = Mock()
    found = list[tuple[object, int, int]]()

    def prepare(work: Work) -> Prepared:
        gc.collect()
        found.append((alive(), released.call_count, speed.release.call_count))
        return Prepared(Mock(), "given")

    cases.registry["late"] = Case("late", "a toy", True, True, prepare)
    run.record("late", 42)
    assert found == [(None, 1, 1)]
    assert run.prepared("toy1")  # made again, and the other one let go before
    assert (speed.release.call_count, list(run._ready)) == (2, ["toy1"])
    run._release(but="toy1")
    assert list(run._ready) == ["toy1"]


@pytest.mark.parametrize(
    ("own", "recipe", "protocol", "expected"),
    [
        ({}, None, "thesis", (32, "thesis")),
        ({}, "percentile", "thesis", (32, "percentile")),
        ({}, "thesis", "percentile", (32, "thesis")),
        ({"scaling": "thesis"}, "percentile", "percentile", (32, "thesis")),
        ({"scaling": "percentile"}, None, "thesis", (32, "percentile")),
        ({"image_size": 48}, None, "thesis", (48, "thesis")),
        ({"image_size": 48, "scaling": "percentile"}, "thesis", "thesis", (48, "percentile")),
    ],
)
def test_a_case_is_given_its_own_size_and_scaling_before_the_recipes_before_the_protocols(
    make_run: MakeRun, cases: Any, own: dict[str, Any], recipe: Any, protocol: Any, expected: tuple[int, str]
) -> None:
    cases.add("mine", **own)
    run = make_run()
    run.tier = replace(
        run.tier,
        recipe=replace(run.tier.recipe, scaling=recipe),
        protocol=replace(run.tier.protocol, scaling=protocol),
    )
    work = run.work_of("mine")
    given = run.given("mine")
    for samples, at in ((work.train, run.split.train), (work.val, run.split.val)):
        assert (samples.image_size, samples.scaling) == (given.image_size, given.scaling) == expected
        assert samples.images.shape == (len(at), 1, expected[0], expected[0])
        assert samples.ids.tolist() == given.ids[at].tolist()
    assert work.case == "mine"
    assert work.data == given.fingerprint
    assert (work.split, work.protocol, work.seed) == (run.work.split, run.work.protocol, run.work.seed)


def test_a_case_of_its_own_size_is_scored_on_the_protocols_pixels(make_run: MakeRun, cases: Any) -> None:
    cases.add("sized", image_size=48, scaling="percentile")
    run = make_run()
    record = run.record("sized", 42)
    assert record.outcome == "done", record.error
    assert (record.conditions.image_size, record.conditions.scaling) == (32, "thesis")
    assert record.conditions.truth_fingerprint == run.truth.truth_fingerprint
    assert record.samples is not None
    assert record.samples.truth_area.tolist() == run.truth.masks[run.split.test].sum(axis=(2, 3)).tolist()
    assert cases.works[0].train.image_size == 48


def test_a_case_that_alters_the_true_masks_fails(make_run: MakeRun, cases: Any) -> None:
    """It runs in this process, and may reach them by another way than what it is given."""
    run = make_run()

    def prepare(work: Work) -> Prepared:
        ready = cases.registry["toy1"].prepare(work)
        run.truth.masks[16] = ready.predictor.dataset.masks[16] = False
        return ready

    cases.registry["cheat"] = Case("cheat", "a toy", True, True, prepare)
    record = run.record("cheat", 42)
    assert (record.outcome, record.samples) == ("error", None)
    assert "true masks of test samples have changed while it ran" in (record.error or "")


def test_a_batch_is_of_test_samples_as_the_case_gets_them(make_run: MakeRun, cases: Any) -> None:
    cases.add("sized", image_size=48)
    run = make_run()
    ids, images = run.batch("sized", 7)
    at = np.array([16, 12, 14, 1, 17, 16, 12])  # repeated, for there are five
    dataset = run.load(48, "thesis")
    assert ids.tolist() == dataset.ids[at].tolist()
    assert np.array_equal(images, dataset.images[at])
    assert images.flags.c_contiguous
    assert run.batch("toy1", 2)[0].tolist() == dataset.ids[[16, 12]].tolist()


def test_a_metric_that_nobody_knows_fails_the_item_before_the_case_is_executed(make_run: MakeRun, cases: Any) -> None:
    run = make_run()
    message, status, error_of = failure_of(lambda: run.check("toy1", "dise"))
    assert "did you mean 'dice'?" in message
    assert (status, error_of, cases.works) == ("error", None, [])


def test_without_a_baseline_any_metric_is_measured(make_run: MakeRun) -> None:
    run = make_run()
    for metric in ("dice", "accuracy", "iou"):
        verdict = run.check("toy1", metric)
        assert (verdict.case, verdict.metric, verdict.status, verdict.measured) == ("toy1", metric, "measured", 1.0)
    assert [*run.judged] == [("toy1", "dice"), ("toy1", "accuracy"), ("toy1", "iou")]


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

    def spy(result: Any, baseline: Any, against: Any, *, strict: bool) -> tuple[Verdict, ...]:
        asked.append((result.case, sorted(result.metrics), baseline, against, strict))
        return Verdict("toy1", "accuracy", "pass"), Verdict("toy1", "dice", "improved"), Verdict("toy1", "iou", "pass")

    monkeypatch.setattr(run_room, "verdicts", spy)
    run = make_run("--bt-against=B,A", *(["--bt-strict"] if strict else []))
    assert run.verdict("toy1", "dice").status == "improved"
    assert run.verdict("toy1", "iou").metric == "iou"
    declared = ("toy1", ["accuracy", "dice"], run.baseline, ("B", "A"), strict)
    assert asked == [declared, (*declared[:1], ["accuracy", "dice", "iou"], *declared[2:])]


@pytest.mark.parametrize(
    ("status", "strict", "ends"),
    [
        *((status, strict, "holds") for status in ("improved", "pass", "measured") for strict in (False, True)),
        ("inconclusive", False, "warns"),
        ("inconclusive", True, "fails"),
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
    paths = [run.folder.record_path("toy1", seed) for seed in (9, 10)]
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


class Bench:
    """As much of pytest-benchmark's fixture as a run uses."""

    def __init__(self) -> None:
        self.group = ""
        self.extra_info: dict[str, object] = {}


@pytest.mark.parametrize("status", ["pass", "faster", "slower", "not-judged"])
def test_a_case_that_became_slower_fails_its_item(
    make_run: MakeRun, cases: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    judged = list[Any]()

    def judge(*args: Any) -> Any:
        judged.append(args)
        return SimpleNamespace(status=status, reason="half as fast")

    monkeypatch.setattr(run_room, "judge_timing", judge)
    baseline: Any = object()
    run = make_run("--bt-seed=9", "--bt-seeds=2", baseline=baseline)
    run.tier = replace(run.tier, speed_margin=0.125)
    monkeypatch.setattr(type(run.folder), "info", lambda self: "info")
    speed = run.__dict__["speed"] = Mock(noise=0.25)
    bench, function = Bench(), Mock()

    def measure() -> None:
        run.throughput(bench, "toy1", "inference, batch 4", 4, function)

    if status == "slower":
        told = "case toy1, inference, batch 4: SLOWER\n  half as fast"
        assert failure_of(measure) == (told, "regressed", None)
    else:
        measure()
    case, prepared = cases.registry["toy1"], run.prepared("toy1")
    speed.measure.assert_called_once_with(bench, case, prepared, "inference, batch 4", 4, function)
    timing = speed.measure.return_value
    record = run.record("toy1", 9)
    assert judged == [(record, "inference, batch 4", timing, baseline, 0.25, "info", 0.125)]
    assert bench.group == "smoke: inference, batch 4"
    noted = {"case": "toy1", "images": 4, "task": "phantom", "gate": f"{status}: half as fast"}
    assert bench.extra_info == noted


@pytest.mark.parametrize("judged", ["no timing", "no baseline"])
def test_speed_is_not_judged_without_a_timing_or_a_baseline(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, judged: str
) -> None:
    gate = Mock()
    monkeypatch.setattr(run_room, "judge_timing", gate)
    baseline: Any = BaselineError("damaged") if judged == "no baseline" else object()
    run = make_run(baseline=baseline)
    speed = run.__dict__["speed"] = Mock()
    speed.measure.return_value = None if judged == "no timing" else Mock()
    bench = Bench()
    run.throughput(bench, "toy1", "training step, batch 8", 8, Mock())
    gate.assert_not_called()
    assert "gate" not in bench.extra_info


def test_speed_is_measured_as_the_tier_says(make_run: MakeRun) -> None:
    run = make_run("--bt-device=cpu")
    run.tier = replace(run.tier, bench_seconds=1.5)
    speed = run.speed
    assert isinstance(speed, Throughput)
    assert (speed.folder, speed.seconds, speed.backbone) == (run.folder, 1.5, "tiny")
    assert (speed.image_size, speed.wanted) == (32, "cpu")
    assert run.speed is speed, "its process lives as long as the run"


def test_a_run_that_ends_lets_go_of_what_it_started(make_run: MakeRun) -> None:
    run = make_run()
    run.prepared("toy1")
    run.close()
    assert "speed" not in run.__dict__, "nothing is started in order to be ended"
    assert run._ready == {}
    speed = run.__dict__["speed"] = Mock()
    run.close()
    speed.close.assert_called_once_with()


def test_a_case_is_explained_with_its_first_predictor_on_its_own_samples(
    make_run: MakeRun, cases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.add("sized", image_size=48)
    explain = Mock()
    monkeypatch.setattr(run_room, "explain_case", explain)
    run = make_run("--bt-seeds=2")
    run.result("sized")
    assert run.explain("sized") is explain.return_value
    (args,) = (call.args for call in explain.call_args_list)
    assert args[0] == "sized"
    assert args[1] is run.prepared("sized")
    assert args[2].image_size == 48
    assert args[3:] == (run.split, run.tier, run.folder, run.work.say)


def test_the_header_says_on_what_and_against_what(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(baseline=BaselineError("damaged"))
    info = SimpleNamespace(data="18 slices", baseline="some.json")
    monkeypatch.setattr(type(run.folder), "info", lambda self: info)
    first = "btlib smoke: 18 slices"
    assert run.header() == [first, f"  held against baseline some.json; records in {run.folder.path}"]
    alone = make_run()
    assert alone.header() == [first, f"  compared with nothing, as asked; records in {run.folder.path}"]
