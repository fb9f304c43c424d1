"""One run: what a case is given, how often it is executed, whose predictor is used, how it is judged."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.api.benchmark_run import BenchmarkRun
from btlib.cases import CASES, Case, Prepared, Work
from btlib.errors import BaselineError, ModelError
from btlib.runs.cell import Cell
from btlib.runs.execute import Result, run_case
from btlib.runs.executors import inprocess
from btlib.runs.measuring import MEASURES, Live
from btlib.runs.progress import ProgressReporter
from btlib.speed import memory

from .toys import Toys

MakeRun = Callable[..., BenchmarkRun]


def test_a_case_and_seed_is_executed_once_however_many_ask(make_run: MakeRun, cases: Toys) -> None:
    run = make_run(seed=9, seeds=2)
    first = run.first_record("toy1")
    assert run.first_record("toy1") == first
    assert first.outcome == "done"
    assert (first.case, first.seed, first.tier) == ("toy1", 9, "smoke")
    assert [seed.seed for seed in run.result("toy1").runs] == [9, 10], "by number, not by text"
    assert run.result("toy2").case == "toy2"
    assert run.prepared("toy2").predictor.seed == 9  # type: ignore[attr-defined]
    assert cases.prepared == [("toy1", 9), ("toy1", 10), ("toy2", 9), ("toy2", 10), ("toy2", 9)]
    assert [work.retrain for work in cases.works] == [False] * 5
    assert [(record.case, record.seed) for record in run.store.records()] == cases.prepared[:4]


def test_what_a_case_is_executed_with(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, is_locked: Callable[[Path], bool]
) -> None:
    seen, uncaptured = list[tuple[bool, ...]](), list[bool]()

    @contextmanager
    def speak() -> Iterator[None]:
        uncaptured.append(True)
        yield
        uncaptured.pop()

    run = make_run({"progress": ProgressReporter(uncaptured=speak)}, timeout=77, seed=5)

    def spy(case: Case, work: Work, *args: Any, fold: str | None) -> Result:
        paths = [run.store.record_path(cell) for cell in (Cell("toy1", 5), Cell("toy2", 5), Cell("toy1", 6))]
        seen.append(tuple(is_locked(Path(f"{path}.lock")) for path in paths))
        tier, store, data, timeout = args
        assert (tier, store, timeout, fold) == ("smoke", run.store, 77, None)
        assert (data.truth, data.split) == (run.truth, run.split)
        assert data.given.ids.tolist() == run.truth.ids.tolist()
        assert (work.case, work.seed) == ("toy1", 5)
        assert uncaptured, "a training may draw its progress"
        return run_case(case, work, *args, fold=fold)

    monkeypatch.setattr(inprocess, "run_case", spy)
    for _ in range(2):
        assert run.first_record("toy1").outcome == "done"
    assert seen == [(True, False, False)], "another case or seed is not waited for"
    assert not is_locked(Path(f"{run.store.record_path(Cell('toy1', 5))}.lock"))


@pytest.mark.parametrize("first", [4, 9])
def test_the_predictor_is_that_of_the_first_seed(make_run: MakeRun, cases: Toys, first: int) -> None:
    run = make_run(seed=first, seeds=3, retrain=True)
    run.first_record("toy1")
    run.prepared("toy1")
    assert len(cases.works) == 1, "it was kept"
    run.result("toy1")
    again = run.prepared("toy1")
    assert again.predictor.seed == first  # type: ignore[attr-defined]
    assert cases.prepared == [("toy1", first), ("toy1", first + 1), ("toy1", first + 2), ("toy1", first)]
    assert [work.retrain for work in cases.works] == [True, True, True, False], "retrained once for each seed"
    assert run.prepared("toy1") is again


def test_a_predictor_is_asked_for_without_a_record(make_run: MakeRun, cases: Toys) -> None:
    run = make_run(seed=3, seeds=2)
    assert run.prepared("toy2").predictor.seed == 3  # type: ignore[attr-defined]
    assert cases.prepared == [("toy2", 3)]


@pytest.mark.parametrize(
    ("error", "outcome"), [(RuntimeError("out of luck"), "error"), (MemoryError(), "out-of-memory")]
)
def test_a_case_that_failed_has_no_predictor(make_run: MakeRun, cases: Toys, error: Exception, outcome: str) -> None:
    cases.add("bad", error)
    run = make_run()
    with pytest.raises(ModelError, match=rf"^case bad: has no predictor: (?s:.*){type(error).__name__}"):
        run.prepared("bad")
    assert run.result("bad").failure == outcome
    assert cases.prepared == [("bad", 42)]


def test_one_predictor_is_alive_at_a_time(make_run: MakeRun, cases: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    released = Mock()
    monkeypatch.setattr(memory, "release", released)
    alive = weakref.ref(run.prepared("toy1").predictor)
    assert alive() is not None
    released.reset_mock()
    references = run.executor.__dict__["_references"] = Mock()
    found = list[tuple[object, int, int]]()

    def prepare(work: Work) -> Prepared:
        gc.collect()
        found.append((alive(), released.call_count, references.release.call_count))
        return Prepared(Mock(), "given")

    cases.put(Case("late", "a toy", True, True, prepare))
    run.first_record("late")
    assert found == [(None, 1, 1)]
    assert run.prepared("toy1")  # made again, and the other one let go before
    assert (references.release.call_count, list(run.executor._ready)) == (2, [Cell("toy1", 42)])


def test_what_is_asked_for_later_is_measured_in_the_first_cell_alone(
    make_run: MakeRun, cases: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Cell]()
    len(MEASURES)
    for name in ("planned", "later"):
        monkeypatch.setitem(MEASURES._items, name, lambda live: seen.append(live.cell) or {})
    run = make_run({"cases": {"toy1": frozenset({"planned"})}}, seeds=2)
    assert [record.measured for record in run.records("toy1")] == [["quality", "planned"], ["quality"]]
    assert run.first_record("toy1", ["later"]).measured == ["quality", "planned", "later"]
    assert [record.measured for record in run.records("toy1", ["later"])][1:] == [["quality"]]
    assert seen == [Cell("toy1", 42)] * 2


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
    make_run: MakeRun, cases: Toys, own: dict[str, Any], recipe: Any, protocol: Any, expected: tuple[int, str]
) -> None:
    cases.add("mine", **own)
    run = make_run(
        {
            "change": lambda tier: replace(
                tier,
                recipe=replace(tier.recipe, scaling=recipe),
                protocol=replace(tier.protocol, scaling=protocol),
            )
        },
        seed=6,
    )
    work = run.workspace.work(Cell("mine", 6))
    given = run.given("mine")
    for samples, at in ((work.train, run.split.train), (work.val, run.split.val)):
        assert (samples.image_size, samples.scaling) == (given.image_size, given.scaling) == expected
        assert samples.images.shape == (len(at), 1, expected[0], expected[0])
        assert samples.ids.tolist() == given.ids[at].tolist()
    assert work.case == "mine"
    assert work.data == given.fingerprint
    assert (work.split, work.protocol, work.seed) == (run.split.fingerprint, run.tier.protocol, 6)


def test_a_case_of_its_own_size_is_scored_on_the_protocols_pixels(make_run: MakeRun, cases: Toys) -> None:
    cases.add("sized", image_size=48, scaling="percentile")
    run = make_run()
    record = run.first_record("sized")
    assert record.outcome == "done", record.error
    assert (record.conditions.image_size, record.conditions.scaling) == (32, "thesis")
    assert record.conditions.truth_fingerprint == run.truth.truth_fingerprint
    assert record.samples is not None
    assert record.samples.truth_area.tolist() == run.truth.masks[run.split.test].sum(axis=(2, 3)).tolist()
    assert cases.works[0].train.image_size == 48


def test_a_case_that_alters_the_true_masks_fails(make_run: MakeRun, cases: Toys) -> None:
    """It runs in this process, and may reach them by another way than what it is given."""
    run = make_run()

    def prepare(work: Work) -> Prepared:
        ready = CASES["toy1"].prepare(work)
        run.truth.masks[16] = ready.predictor.dataset.masks[16] = False  # type: ignore[attr-defined]
        return ready

    cases.put(Case("cheat", "a toy", True, True, prepare))
    record = run.first_record("cheat")
    assert (record.outcome, record.samples) == ("error", None)
    assert "true masks of test samples changed while the case ran" in (record.error or "")


def test_a_batch_is_of_test_samples_as_the_case_gets_them(make_run: MakeRun, cases: Toys) -> None:
    cases.add("sized", image_size=48)
    run = make_run()
    ids, images = run.workspace.batch(run.first_cell("sized"), 7)
    at = np.array([16, 12, 14, 1, 17, 16, 12])  # repeated, for there are five
    dataset = run.workspace.load(48, "thesis")
    assert ids.tolist() == dataset.ids[at].tolist()
    assert np.array_equal(images, dataset.images[at])
    assert images.flags.c_contiguous
    assert run.workspace.batch(run.first_cell("toy1"), 2)[0].tolist() == dataset.ids[[16, 12]].tolist()


def test_a_case_is_explained_with_its_first_predictor_on_its_own_samples(
    make_run: MakeRun, cases: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.add("sized", image_size=48)
    seen = list[Live]()
    len(MEASURES)
    monkeypatch.setitem(MEASURES._items, "explanation", lambda live: seen.append(live) or {})
    run = make_run(seeds=2)
    run.first_record("sized", ["explanation"])
    (live,) = seen
    assert live.prepared is run.prepared("sized")
    assert (live.cell, live.case.name, live.given.image_size) == (Cell("sized", 42), "sized", 48)
    assert (live.split, live.store) == (run.split, run.store)


def test_speed_is_measured_as_the_tier_and_the_user_say(make_run: MakeRun, cases: Toys) -> None:
    run = make_run({"change": lambda tier: replace(tier, bench_seconds=1.5)}, device="cpu")
    meter = run.executor._meter
    assert (meter.seconds, meter.wanted) == (1.5, "cpu")
    assert run.executor._meter is meter, "the null run is made once"
    assert run.executor._references is run.executor._references


def test_a_run_that_ends_lets_go_of_what_it_started(make_run: MakeRun) -> None:
    run = make_run()
    run.prepared("toy1")
    order = list[str]()
    run.ends += [lambda: order.append("first"), lambda: order.append("last")]
    run.close()
    assert "_references" not in run.executor.__dict__, "nothing is started in order to be ended"
    assert run.executor._ready == {}
    assert order == ["last", "first"]
    references = run.executor.__dict__["_references"] = Mock()
    run.close()
    references.close.assert_called_once_with()


def test_the_judgement_is_of_all_seeds_and_stored(make_run: MakeRun, cases: Toys) -> None:
    run = make_run(seeds=2)
    judged = run.judgement("toy1")
    assert [(v.metric, v.status, v.measured) for v in judged.verdicts] == [
        ("dice", "measured", 1.0),
        ("accuracy", "measured", 1.0),
    ]
    assert cases.prepared == [("toy1", 42), ("toy1", 43)]
    assert run.judgement("toy1") == judged
    more = run.judgement("toy1", ["iou"]).verdict("iou")
    assert more is not None
    assert (more.status, more.measured) == ("measured", 1.0)


def test_the_header_says_on_what_and_against_what(make_run: MakeRun) -> None:
    run = make_run({"baseline": BaselineError("damaged")})
    run.store.save_info(run.store.info().model_copy(update={"data": "18 samples", "baseline": "some.json"}))
    first = "btlib smoke: 18 samples"
    assert run.header() == [first, f"  compared with baseline some.json; records in {run.store.path}"]
    run.baseline = make_run().baseline
    run.store.save_info(run.store.info().model_copy(update={"data": "18 samples"}))
    assert run.header() == [first, f"  no comparison, as requested; records in {run.store.path}"]
