"""A cell is executed once, under the lock of its record; what is measured beside its quality never costs it that."""

import gc
import shutil
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.errors import ModelError
from btlib.runs import CaseRecord, Cell
from btlib.runs.executors import InProcess
from btlib.runs.measuring import MEASURES, Live
from btlib.types import Predictions

Make = Callable[..., Case]
MakeExecutor = Callable[..., InProcess]
QUALITY_FIELDS = ("samples", "summary", "outcome", "error", "created", "seconds", "model", "prepare_seconds")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers what is measured, for one test; a name that is known is replaced."""

    def add(name: str, function: Callable[[Live], Mapping[str, object]]) -> None:
        len(MEASURES)  # those of plug-ins are there
        monkeypatch.setitem(MEASURES._items, name, function)

    return add


class Trains:
    """The `prepare` of a case that stores its model, as cases of btlib do: it notes what it was asked for."""

    def __init__(self, case: Case, fails: int = 0) -> None:
        self.case, self.fails = case, fails
        self.trained: list[tuple[int, str]] = []
        self.works: list[Work] = []

    def __call__(self, work: Work) -> Prepared:
        self.works.append(work)
        stored = work.checkpoints / f"{work.case}-{work.seed}-{work.split}"
        if stored.exists() and not work.retrain:
            return replace(self.case.prepare(work), source="loaded")
        self.trained.append((work.seed, work.split))
        if len(self.trained) <= self.fails:
            raise ValueError(f"failure {len(self.trained)}")
        work.checkpoints.mkdir(exist_ok=True)
        stored.touch()
        return replace(self.case.prepare(work), source="trained")


@pytest.fixture
def trains(make_case: Make, register: Callable[..., None]) -> Callable[..., Trains]:
    """Registers a case X that trains."""

    def make(fails: int = 0, name: str = "X") -> Trains:
        prepare = Trains(make_case(name), fails)
        register(make_case(name, prepare))
        return prepare

    return make


def submit(executor: InProcess, cell: Cell) -> CaseRecord:
    return executor.submit(cell).result(timeout=0)


def test_a_cell_is_executed_once_however_often_it_is_submitted(
    trains: Callable[..., Trains], make_executor: MakeExecutor
):
    case = trains()
    executor = make_executor({"X": ()}, seeds=2, retrain=True)
    one, other = executor.workspace.plan.cells()
    first = submit(executor, one)
    assert first.outcome == "done"
    assert (first.case, first.seed, first.fold, first.measured) == ("X", 7, None, ["quality"])
    assert [submit(executor, one) for _ in range(3)] == [first] * 3
    assert submit(make_executor({"X": ()}, retrain=True), one) == first, "as another process finds it"
    assert [seed for seed, _ in case.trained] == [7]
    assert submit(executor, other).seed == 8
    assert [seed for seed, _ in case.trained] == [7, 8]
    assert executor.store.record(one) == first


def test_each_fold_is_trained_and_tested_on_its_own_split(trains: Callable[..., Trains], make_executor: MakeExecutor):
    case = trains()
    executor = make_executor({"X": ()}, split="patient-5fold-2,patient-5fold-4")
    records = [submit(executor, cell) for cell in executor.workspace.plan.cells()]
    splits = executor.workspace.splits
    assert [record.fold for record in records] == ["patient-5fold-2", "patient-5fold-4"]
    for record, work in zip(records, case.works, strict=True):
        split = splits[str(record.fold)]
        assert (record.conditions.split_name, record.conditions.split_fingerprint) == (split.name, split.fingerprint)
        assert record.samples is not None
        assert record.samples.id == executor.workspace.truth.ids[split.test].tolist()
        assert (work.split, work.seed) == (split.fingerprint, 7)
        assert work.train.ids.tolist() == executor.workspace.truth.ids[split.train].tolist()
        assert executor.store.masks(record.cell) is not None
    assert records[0].samples.id != records[1].samples.id  # type: ignore[union-attr]


def test_execution_and_measuring_are_under_the_lock_of_the_record(
    make_case: Make,
    register: Callable[..., None],
    measure: Callable[..., None],
    make_executor: MakeExecutor,
    is_locked: Callable[[Path], bool],
):
    executor = make_executor({"X": ("mine",)})
    (cell,) = executor.workspace.plan.cells()
    lock, locked = Path(f"{executor.store.record_path(cell)}.lock"), []

    def prepare(work: Work) -> Prepared:
        locked.append(("prepare", is_locked(lock)))
        return make_case().prepare(work)

    def mine(live: Live) -> Mapping[str, object]:
        locked.append(("measure", is_locked(lock)))
        return {}

    register(make_case("X", prepare))
    measure("mine", mine)
    submit(executor, cell)
    assert locked == [("prepare", True), ("measure", True)]
    assert not is_locked(lock)


def test_two_workers_that_want_one_cell_train_it_once(
    make_case: Make, register: Callable[..., None], make_executor: MakeExecutor
):
    """The second comes while the first trains, waits, and finds the record."""
    inside, waits, trained = threading.Event(), threading.Event(), []

    def prepare(work: Work) -> Prepared:
        trained.append(work.seed)
        inside.set()
        waits.wait(10)
        return make_case().prepare(work)

    register(make_case("X", prepare))
    workers = [make_executor({"X": ()}) for _ in range(2)]
    (cell,) = workers[0].workspace.plan.cells()
    found: dict[int, CaseRecord] = {}

    def work(at: int) -> None:
        found[at] = submit(workers[at], cell)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(2)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive(), "it waits for the lock"
    waits.set()
    for thread in threads:
        thread.join(30)
    assert trained == [7]
    assert found[0] == found[1]


def test_a_measure_that_raises_is_noted_and_the_quality_stands(
    trains: Callable[..., Trains], measure: Callable[..., None], make_executor: MakeExecutor
):
    asked = []

    def broken(live: Live) -> Mapping[str, object]:
        asked.append(live.cell)
        raise RuntimeError("no such kernel")

    def ends(live: Live) -> Mapping[str, object]:
        raise SystemExit("a library's own idea")

    def refuses(live: Live) -> Mapping[str, object]:
        raise ModelError("cannot be asked", where="case X")

    def sound(live: Live) -> Mapping[str, object]:
        assert set(live.record.problems) == {"broken", "ends", "refuses"}
        return {"planted": {"a fault": live.record.samples}}

    for function in (broken, ends, refuses, sound):
        measure(function.__name__, function)
    trains()
    plain = submit(make_executor({"X": ()}), Cell("X", 7))
    executor = make_executor({"X": ("broken", "ends", "refuses", "sound")})
    (cell,) = executor.workspace.plan.cells()
    record = submit(executor, cell)
    assert {name: getattr(record, name) for name in QUALITY_FIELDS} == {n: getattr(plain, n) for n in QUALITY_FIELDS}
    assert (record.outcome, record.error) == ("done", None)
    assert record.measured == ["quality", "broken", "ends", "refuses", "sound"]
    assert record.problems.keys() == {"broken", "ends", "refuses"}
    assert "RuntimeError: no such kernel" in record.problems["broken"]
    assert "in broken" in record.problems["broken"], "where it happened"
    assert "a library's own idea" in record.problems["ends"]
    assert record.problems["refuses"] == "case X: cannot be asked"
    assert record.planted == {"a fault": record.samples}, "what comes after it is measured"
    assert submit(executor, cell) == record
    assert asked == [cell]
    assert executor.store.record(cell) == record


def test_an_interrupt_while_measuring_leaves_what_was_measured(
    trains: Callable[..., Trains], measure: Callable[..., None], make_executor: MakeExecutor
):
    """What it cut short is measured by the next one who asks, without another training."""
    case, left = trains(), [KeyboardInterrupt()]

    def cut(live: Live) -> Mapping[str, object]:
        if left:
            raise left.pop()
        return {"planted": {"a fault": live.record.samples}}

    measure("before", lambda live: {})
    measure("cut", cut)
    executor = make_executor({"X": ("before", "cut")})
    (cell,) = executor.workspace.plan.cells()
    with pytest.raises(KeyboardInterrupt):
        executor.submit(cell)
    known = executor.store.record(cell)
    assert known is not None
    assert (known.measured, known.problems, known.outcome) == (["quality", "before"], {}, "done")
    record = submit(make_executor({"X": ("before", "cut")}), cell)
    assert (record.measured, record.problems) == (["quality", "before", "cut"], {})
    assert record.planted == {"a fault": record.samples}
    assert len(case.trained) == 1


def test_what_a_record_lacks_is_measured_later_without_training_again(
    trains: Callable[..., Trains], measure: Callable[..., None], make_executor: MakeExecutor
):
    """In another process, which loads the stored model even where the user asked for training."""
    case, seen = trains(), []
    measure("mine", lambda live: seen.append(live) or {"planted": {"mine": live.record.samples}})
    measure("other", lambda live: seen.append(live) or {})
    quality = submit(make_executor({"X": ()}, retrain=True), Cell("X", 7))
    assert (quality.measured, len(case.works)) == (["quality"], 1)
    later = make_executor({"X": ("mine",)}, retrain=True)
    (cell,) = later.workspace.plan.cells()
    record = submit(later, cell)
    assert record.measured == ["quality", "mine"]
    assert record.planted == {"mine": quality.samples}
    assert {name: getattr(record, name) for name in QUALITY_FIELDS} == {n: getattr(quality, n) for n in QUALITY_FIELDS}
    assert [work.retrain for work in case.works] == [True, False]
    assert seen[0].prepared.source == "loaded"
    both = submit(later, replace(cell, measures=frozenset({"quality", "mine", "other"})))
    assert both.measured == ["quality", "mine", "other"]
    assert len(seen) == 2, "what is known is not measured again"
    assert submit(later, cell) == both
    assert (len(case.trained), len(case.works)) == (1, 2), "the predictor was kept"


def test_what_is_measured_with_a_training_needs_no_other_preparation(
    trains: Callable[..., Trains], measure: Callable[..., None], make_executor: MakeExecutor
):
    case, seen = trains(), []
    measure("mine", lambda live: seen.append(live) or {})
    executor = make_executor({"X": ("mine",)}, retrain=True)
    (cell,) = executor.workspace.plan.cells()
    submit(executor, cell)
    assert (len(case.works), seen[0].prepared.source) == (1, "trained")
    assert (seen[0].cell, seen[0].case.name, seen[0].split.name) == (cell, "X", "slice-seed42")
    assert executor.prepared(cell) is seen[0].prepared


@pytest.mark.parametrize("again", [False, True])
def test_a_failed_cell_is_executed_again_once_where_that_is_asked(
    again: bool, trains: Callable[..., Trains], measure: Callable[..., None], make_executor: MakeExecutor
):
    case, seen = trains(fails=2), []
    measure("mine", lambda live: seen.append(live) or {})
    cell = Cell("X", 7, measures=frozenset({"quality", "mine"}))
    first = submit(make_executor({"X": ("mine",)}), cell)
    assert (first.outcome, first.measured, seen) == ("error", ["quality"], [])
    second = make_executor({"X": ("mine",)}, again=again)
    records = [submit(second, cell) for _ in range(3)]
    assert len(case.trained) == (2 if again else 1)
    assert records == [records[0]] * 3
    assert f"failure {2 if again else 1}" in str(records[0].error)
    third = make_executor({"X": ("mine",)}, again=again)
    last = [submit(third, cell) for _ in range(3)][-1]
    assert (last.outcome, len(case.trained)) == (("done", 3) if again else ("error", 1))
    assert (len(seen), last.measured) == ((1, ["quality", "mine"]) if again else (0, ["quality"]))


def test_a_measure_that_failed_is_tried_again_once_where_that_is_asked(
    trains: Callable[..., Trains], measure: Callable[..., None], make_executor: MakeExecutor
):
    asked = []

    def breaks(live: Live) -> Mapping[str, object]:
        asked.append(live.cell)
        if len(asked) in (1, 2):
            raise RuntimeError(f"attempt {len(asked)}")
        return {}

    measure("breaks", breaks)
    trains()
    first = make_executor({"X": ("breaks",)})
    (cell,) = first.workspace.plan.cells()
    assert "attempt 1" in submit(first, cell).problems["breaks"]
    for attempt in (2, 3):
        again = replace(first, again=True, _ready={}, _tried=set())
        record = submit(again, cell)
        assert submit(again, cell) == record, "once is enough"
        assert len(asked) == attempt
        assert record.measured == ["quality", "breaks"]
    assert record.problems == {}


def test_a_cell_that_is_done_is_not_executed_again(trains: Callable[..., Trains], make_executor: MakeExecutor):
    case = trains()
    before = submit(make_executor({"X": ()}), Cell("X", 7))
    assert submit(make_executor({"X": ()}, again=True), Cell("X", 7)) == before
    assert len(case.works) == 1


def test_the_predictor_of_a_cell(trains: Callable[..., Trains], make_executor: MakeExecutor):
    case = trains()
    executor = make_executor({"X": ()}, seeds=2, retrain=True)
    one, other = executor.workspace.plan.cells()
    ready = executor.prepared(one)
    assert (ready.source, len(case.works)) == ("trained", 1)
    assert executor.prepared(one) is ready
    assert executor.prepared(other) is not ready
    assert executor.prepared(one).source == "loaded", "the other one came between"
    assert [work.retrain for work in case.works] == [True, True, False]


def test_a_case_that_failed_has_no_predictor(trains: Callable[..., Trains], make_executor: MakeExecutor):
    trains(fails=1)
    with pytest.raises(ModelError, match=r"has no predictor: (?s:.*)failure 1") as caught:
        make_executor({"X": ()}).prepared(Cell("X", 7))
    assert caught.value.where == "case X"


def test_a_predictor_is_let_go_before_another_comes(
    make_case: Make, dataset: Dataset, register: Callable[..., None], make_executor: MakeExecutor
):
    alive: list[weakref.ref[Any]] = []
    there: list[int] = []

    class Large:
        def __init__(self) -> None:
            self.inner = make_case().prepare(None).predictor  # type: ignore[arg-type]

        def predict(self, images: np.ndarray) -> Predictions:
            return self.inner.predict(images)

    def prepare(work: Work) -> Prepared:
        gc.collect()
        there.append(sum(one() is not None for one in alive))
        predictor = Large()
        alive.append(weakref.ref(predictor))
        return Prepared(predictor, "given")

    register(make_case("X", prepare), make_case("Y", prepare))
    executor = make_executor({"X": (), "Y": ()}, seeds=2)
    for cell in executor.workspace.plan.cells():
        submit(executor, cell)
    assert there == [0, 0, 0, 0]
    executor.close()
    gc.collect()
    assert [one() for one in alive] == [None] * 4


def test_a_measure_that_changes_the_truth_changes_no_other_number(
    trains: Callable[..., Trains],
    measure: Callable[..., None],
    make_executor: MakeExecutor,
    make_dataset: Callable[..., Dataset],
):
    """Neither of what is measured after it, nor of another case."""
    trains()
    trains(name="Y")
    samples, seen = make_dataset(40), []
    masks, labels = samples.masks.copy(), samples.labels.copy()  # type: ignore[union-attr]

    def spoils(live: Live) -> Mapping[str, object]:
        live.workspace.truth.masks[:] = True
        live.workspace.truth.labels[:] = 0  # type: ignore[index]
        raise ValueError("and it fails")

    def after(live: Live) -> Mapping[str, object]:
        test = live.split.test
        seen.append((live.workspace.truth.masks[test].copy(), live.workspace.truth.labels[test].copy()))  # type: ignore[index]
        return {}

    measure("spoils", spoils)
    measure("after", after)
    executor = make_executor({"X": ("spoils", "after"), "Y": ()}, samples=samples)
    one, other = executor.workspace.plan.cells()
    assert "and it fails" in submit(executor, one).problems["spoils"]
    test = executor.workspace.split.test
    np.testing.assert_array_equal(seen[0][0], masks[test])
    np.testing.assert_array_equal(seen[0][1], labels[test])
    assert submit(executor, other).outcome == "done"


@pytest.mark.parametrize(
    ("quick", "measures", "started"),
    [
        (True, ["inference"], True),
        (True, ["training step"], True),
        (True, ["mine"], False),
        (False, ["inference"], False),
    ],
)
def test_a_reference_is_started_before_a_short_training_only(
    quick: bool,
    measures: list[str],
    started: bool,
    make_case: Make,
    register: Callable[..., None],
    make_executor: MakeExecutor,
    measure: Callable[..., None],
):
    events: list[str] = []
    reference = SimpleNamespace(
        start=lambda: events.append("start"), release=lambda: None, close=lambda: events.append("close")
    )

    def prepare(work: Work) -> Prepared:
        events.append("prepare")
        return make_case("X").prepare(work)

    register(replace(make_case("X", prepare), speed_reference=lambda recipe, threads: reference))
    for name in ("inference", "training step", "mine"):
        measure(name, lambda live: {})
    executor = make_executor({"X": measures})
    tier = executor.workspace.plan.tier
    plan = replace(executor.workspace.plan, tier=replace(tier, recipe=replace(tier.recipe, quick=quick)))
    executor = replace(executor, workspace=replace(executor.workspace, plan=plan))
    submit(executor, plan.cells()[0])
    assert events == ["start"] * started + ["prepare"]
    executor.close()
    assert events == ["start"] * started + ["prepare"] + ["close"] * started


def test_what_lives_before_a_cell_is_not_collected_through_and_the_end_undoes_that(
    trains: Callable[..., Trains], make_executor: MakeExecutor, monkeypatch: pytest.MonkeyPatch
):
    calls: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(gc, "unfreeze", lambda: calls.append("unfreeze"))
    trains()
    for before in (0, 5):  # objects that the program around the run has frozen itself
        monkeypatch.setattr(gc, "get_freeze_count", lambda n=before: n)
        executor = make_executor({"X": ()}, seeds=2)
        for cell in executor.workspace.plan.cells():
            submit(executor, cell)
        executor.close()
        assert calls == ["freeze", "freeze", "unfreeze"] * (before == 0)
        calls.clear()
        shutil.rmtree(executor.store.path)


@pytest.mark.parametrize("where", ["made", "started"])
def test_a_reference_that_cannot_be_started_costs_the_quality_nothing(
    where: str,
    make_case: Make,
    register: Callable[..., None],
    make_executor: MakeExecutor,
    measure: Callable[..., None],
):
    def refuses(*args: object) -> Any:
        raise OSError("no process")

    one = SimpleNamespace(start=refuses, release=lambda: None, close=lambda: None)
    reference = refuses if where == "made" else lambda recipe, threads: one
    register(replace(make_case("X"), speed_reference=reference))
    measure("inference", lambda live: {})
    executor = make_executor({"X": ["inference"]})
    tier = executor.workspace.plan.tier
    plan = replace(executor.workspace.plan, tier=replace(tier, recipe=replace(tier.recipe, quick=True)))
    executor = replace(executor, workspace=replace(executor.workspace, plan=plan))
    assert submit(executor, plan.cells()[0]).outcome == "done"
