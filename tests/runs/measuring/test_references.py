"""What the speed of a case is compared with: its own reference, the one that the user names, or nothing."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.errors import BtlibError, OptionError
from btlib.protocol import Recipe
from btlib.runs import CaseRecord
from btlib.runs.executors import InProcess
from btlib.runs.measuring import INFERENCE, TRAINING_STEP
from btlib.runs.measuring.references import References, require_reference
from btlib.speed.reference import Call, Job
from btlib.types import Predictions

Make = Callable[..., Case]
MakeExecutor = Callable[..., InProcess]
BOTH = (INFERENCE, TRAINING_STEP)


class Reference:
    """One that a case brings: it notes what it was asked."""

    def __init__(self, name: str) -> None:
        self.name, self.kind = name, "noted"
        self.jobs: list[Job] = []
        self.released = self.closed = 0

    def call(self, job: Job) -> Call | None:
        self.jobs.append(job)
        return Call(0.25, None)

    def start(self) -> None: ...

    def another(self) -> "Reference":
        return Reference(self.name)

    def release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.closed += 1


class Counted:
    """The predictor of a case, and how it was used."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.batches: list[int] = []
        self.steps: list[int] = []
        self.works: list[Work] = []

    def predict(self, images: np.ndarray) -> Predictions:
        self.batches.append(len(images))
        return self.inner.predict(images)

    def step(self, batch_size: int) -> Callable[[], None]:
        return lambda: self.steps.append(batch_size)

    def prepare(self, work: Work) -> Prepared:
        self.works.append(work)
        return Prepared(self, "trained", details={"device": "cpu"}, training_step=self.step)


class Maker:
    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[tuple[Recipe, int | None]] = []
        self.made: list[Reference] = []

    def __call__(self, recipe: Recipe, threads: int | None) -> Reference:
        self.asked.append((recipe, threads))
        self.made.append(Reference(f"beside {self.name}"))
        return self.made[-1]


Makers = dict[str, Maker]


@pytest.fixture
def makers() -> Makers:
    """What makes the references of cases that bring one."""
    return {}


@pytest.fixture
def cases(makers: Makers, make_case: Make, register: Callable[..., None]) -> Callable[..., dict[str, Counted]]:
    """Registers cases by their names; some of them bring a reference."""

    def make(names: Iterable[str], own: Iterable[str] = ()) -> dict[str, Counted]:
        makers.update({name: Maker(name) for name in own})
        made = {name: Counted(make_case().prepare(None).predictor) for name in names}  # type: ignore[arg-type]
        register(*(replace(make_case(n, one.prepare), speed_reference=makers.get(n)) for n, one in made.items()))
        return made

    return make


def measured(executor: InProcess, case: str) -> CaseRecord:
    record = executor.submit(executor.workspace.plan.cells(case)[0]).result(timeout=0)
    assert record.outcome == "done"
    return record


def references_of(record: CaseRecord) -> set[str | None]:
    assert record.speed is not None
    assert len(record.speed.figures) == 3
    for timing in record.speed.figures.values():
        assert (timing.reference is None) == (timing.reference_seconds == []) == (timing.speedup is None)
    return {timing.reference for timing in record.speed.figures.values()}


def test_without_any_reference_there_is_no_ratio(cases: Callable[..., Any], make_executor: MakeExecutor):
    """Not even where another case of the run brings one."""
    cases("XD", own="D")
    executor = make_executor({"D": BOTH, "X": BOTH})
    assert references_of(measured(executor, "D")) == {"beside D"}
    record = measured(executor, "X")
    assert references_of(record) == {None}
    assert record.speed is not None
    assert (record.speed.noise, record.problems) == (None, {})
    assert sorted(record.speed.figures) == ["inference, batch 1", "inference, batch 16", "training step, batch 16"]


def test_a_case_is_timed_beside_its_own_reference(
    cases: Callable[..., Any], makers: Makers, make_executor: MakeExecutor
):
    """Whatever the user names for those that bring none."""
    cases("DE", own="DE")
    recipe = Recipe(epochs=3, batch_size=4)
    executor = make_executor({"D": BOTH}, recipe=recipe, speed_reference="E")
    record = measured(executor, "D")
    assert references_of(record) == {"beside D"}
    assert record.speed is not None
    assert record.speed.noise is not None
    assert makers["E"].made == []
    (reference,) = makers["D"].made
    assert [asked for asked, _ in makers["D"].asked] == [recipe]
    assert {(job.work, job.batch_size) for job in reference.jobs} == {
        ("inference", 1),
        ("inference", 16),
        ("training", 4),
    }
    assert {(job.image_size, job.device) for job in reference.jobs} == {(32, "cpu")}
    executor.close()
    assert reference.closed == 1


def test_the_reference_of_the_named_case_stands_beside_all_that_bring_none(
    cases: Callable[..., Any], makers: Makers, make_executor: MakeExecutor
):
    """It is made once, and its model is not needed."""
    made = cases("XYD", own="D")
    executor = make_executor({"X": BOTH, "Y": BOTH}, speed_reference="D")
    assert references_of(measured(executor, "X")) == {"beside D"}
    (reference,) = makers["D"].made
    before = reference.released
    assert references_of(measured(executor, "Y")) == {"beside D"}
    assert len(makers["D"].made) == 1
    assert reference.released > before, "what it did for X is freed before Y comes"
    assert made["D"].works == []
    executor.close()
    assert reference.closed == 1


def test_a_named_case_without_a_reference_is_timed_by_its_predictor(
    cases: Callable[..., dict[str, Counted]], make_executor: MakeExecutor
):
    made = cases("XN")
    executor = make_executor({"X": BOTH}, recipe=Recipe(batch_size=4), speed_reference="N")
    record = measured(executor, "X")
    assert references_of(record) == {"N"}
    assert record.speed is not None
    assert record.speed.noise is not None
    assert set(made["N"].batches) == {1, 16}
    assert set(made["N"].steps) == {4}
    (work,) = made["N"].works
    assert (work.case, work.seed, work.split) == ("N", 7, executor.workspace.split.fingerprint)


def test_the_named_case_is_loaded_for_each_case_and_never_trained_anew(
    cases: Callable[..., dict[str, Counted]], make_executor: MakeExecutor
):
    """Its own training, which the user asked for, happens in its own cell."""
    made = cases("XYN")
    executor = make_executor({"N": (), "X": (INFERENCE,), "Y": (INFERENCE,)}, speed_reference="N", retrain=True)
    for name in "NXY":
        measured(executor, name)
    assert [work.retrain for work in made["N"].works] == [True, False, False]
    assert [work.retrain for work in made["X"].works] == [True]


def test_the_named_case_itself_has_no_ratio(cases: Callable[..., Any], make_executor: MakeExecutor):
    cases("N")
    record = measured(make_executor({"N": BOTH}, speed_reference="N"), "N")
    assert references_of(record) == {None}


def test_a_case_that_is_not_trained_has_no_ratio_of_a_training_step(
    cases: Callable[..., Any], make_case: Make, register: Callable[..., None], make_executor: MakeExecutor
):
    cases("X")
    given = make_case("N").prepare(None)  # type: ignore[arg-type]
    register(make_case("N", lambda work: given))
    record = measured(make_executor({"X": BOTH}, speed_reference="N"), "X")
    assert record.speed is not None
    assert {name: timing.reference for name, timing in record.speed.figures.items()} == {
        "inference, batch 1": "N",
        "inference, batch 16": "N",
        "training step, batch 16": None,
    }


def test_a_reference_that_fails_is_noted_and_gives_no_speed_without_a_ratio(
    cases: Callable[..., Any], make_case: Make, register: Callable[..., None], make_executor: MakeExecutor
):
    def prepare(work: Work) -> Prepared:
        raise ValueError("no weights")

    cases("X")
    register(make_case("N", prepare))
    record = measured(make_executor({"X": BOTH}, speed_reference="N"), "X")
    assert (record.outcome, record.speed) == ("done", None)
    assert record.problems.keys() == set(BOTH)
    assert all("ValueError: no weights" in why for why in record.problems.values())


def test_a_twin_has_the_predictor_and_an_end_of_its_own(
    cases: Callable[..., dict[str, Counted]], make_executor: MakeExecutor, make_case: Make
):
    made, job = cases("XN"), Job("inference", 3, 32, "cpu")
    references = References(make_executor({"X": ()}, speed_reference="N").workspace)
    one = references.of(make_case("X"))
    assert one is not None
    assert references.of(make_case("Y")) is one
    assert one.call(job) is not None
    another = one.another()
    assert (another.name, another.kind) == (one.name, one.kind) == ("N", "case N")
    another.call(job)
    another.close()
    one.call(job)
    assert (len(made["N"].works), made["N"].batches) == (1, [3, 3, 3])
    references.release()
    one.call(job)
    assert len(made["N"].works) == 2
    references.close()
    assert references.of(make_case("X")) is not one


def test_a_named_case_may_lie_in_a_file(
    tmp_path: Path, cases: Callable[..., Any], register: Callable[..., None], make_executor: MakeExecutor
):
    (tmp_path / "mine.py").write_text(FILE)
    cases("X")
    spec = f"{tmp_path / 'mine.py'}::in a file"
    record = measured(make_executor({"X": (INFERENCE,)}, speed_reference=spec), "X")
    assert record.problems == {}
    assert record.speed is not None
    assert {timing.reference for timing in record.speed.figures.values()} == {"in a file"}


FILE = """
import numpy as np
from btlib.cases import Prepared, case
from btlib.types import Predictions

class Half:
    def predict(self, images):
        return Predictions(np.full(images.shape, 0.5, np.float32), None)

@case("in a file", "half", has_mask=True, has_classes=False)
def prepare(work):
    return Prepared(Half(), "given")
"""


def test_what_is_no_case_is_refused_by_the_name_of_the_option(tmp_path: Path, cases: Callable[..., Any]):
    cases(["known"])
    require_reference(None)
    require_reference("known")
    (tmp_path / "broken.py").write_text("raise ValueError('no')\n")
    for name in ("knwon", str(tmp_path / "nowhere.py"), f"{tmp_path / 'broken.py'}::X"):
        with pytest.raises(OptionError) as caught:
            require_reference(name)
        assert isinstance(caught.value, BtlibError)
        assert str(caught.value.where) == "--bt-speed-reference"
    with pytest.raises(OptionError, match="did you mean 'known'"):
        require_reference("knwon")
