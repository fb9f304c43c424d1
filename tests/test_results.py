"""What was measured of a case: samples are paired by id, seeds keep their order, and nothing is of one seed only."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.data.sources.tasks import PHANTOM
from btlib.data.task import Task
from btlib.errors import RecordError, StatsError
from btlib.results import CaseResult, Conditions, PatientFacts, SeedRun, mean_in_order
from btlib.sample_table import SampleTable

IDS = ["9", "10", "2", "100"]
AREAS = [10, 20, 40, 50]
PATIENTS = ["P10", "P9", "P10", None]


def table(intersection: list[int], order: tuple[int, ...] = (0, 1, 2, 3), **changes: Any) -> SampleTable:
    """Four samples of one case, whose rows may stand in another order."""
    rows: dict[str, Any] = {"id": IDS, "label": [0, 1, 2, 1], "patient": PATIENTS} | changes
    counts = {"truth_area": AREAS, "intersection": intersection, "pred_area": AREAS}
    columns = {f"tumour/{name}": values for name, values in counts.items()} | rows.pop("columns", {})
    turned = [{name: [column[i] for i in order] for name, column in part.items()} for part in (rows, columns)]
    return SampleTable(classes=list(PHANTOM.classes), structures=["tumour"], columns=turned[1], **turned[0])


def result(conditions: Conditions, *runs: SeedRun, **more: Any) -> CaseResult:
    return CaseResult("X", "a case", conditions, {"dice": 1}, runs, **more)


def run(seed: int, samples: SampleTable) -> SeedRun:
    return SeedRun(seed=seed, fingerprint=None, samples=samples)


FIRST, SECOND, THIRD = [1, 2, 4, 5], [10, 10, 30, 0], [5, 20, 8, 25]


@pytest.fixture
def three(conditions: Conditions) -> CaseResult:
    """Measured with three seeds, each in an order of its own."""
    return result(
        conditions,
        run(10, table(FIRST)),
        run(9, table(SECOND, order=(3, 1, 0, 2))),
        run(42, table(THIRD, order=(1, 2, 3, 0))),
    )


def test_values_of_seeds_are_paired_by_id(three: CaseResult) -> None:
    shares = np.array([FIRST, SECOND, THIRD]) / np.array(AREAS)
    assert three.seed_values("dice") == pytest.approx(shares, abs=1e-6)
    assert three.values("dice") == pytest.approx(shares.mean(axis=0), abs=1e-6)
    assert three.values("dice").shape == (4,)


def test_the_first_seed_gives_the_order(three: CaseResult) -> None:
    assert three.samples is three.runs[0].samples
    assert three.seeds == (10, 9, 42)
    turned = CaseResult("X", "a case", three.conditions, {"dice": 1}, three.runs[::-1])
    assert turned.samples.id == ["10", "2", "100", "9"]
    assert turned.seeds == (42, 9, 10)
    assert turned.values("dice") == pytest.approx(three.values("dice")[[1, 2, 3, 0]])


def test_a_mean_is_in_the_order_that_is_asked_for(three: CaseResult) -> None:
    reference = table([0, 0, 0, 0], order=(2, 0, 3, 1))
    assert mean_in_order(three.runs, reference, "dice") == pytest.approx(three.values("dice")[[2, 0, 3, 1]])
    assert mean_in_order(three.runs[1:2], reference, "dice") == pytest.approx([0.75, 1.0, 0.0, 0.5], abs=1e-6)


@pytest.mark.parametrize("metric", ["accuracy", "hd95"])
def test_a_metric_that_was_not_measured_has_no_values(three: CaseResult, metric: str) -> None:
    for ask in (three.values, three.seed_values):
        with pytest.raises(StatsError, match=f"{metric}: the table has no"):
            ask(metric)


@pytest.mark.parametrize("at", [1, 2])
def test_seeds_of_other_slices_are_refused(at: int, conditions: Conditions) -> None:
    """As many samples are not the same samples, and the last seed counts like the second."""
    runs = [run(10, table(FIRST)), run(9, table(SECOND)), run(42, table(THIRD))]
    runs[at] = run(7, table(SECOND, id=["9", "10", "2", "101"]))
    with pytest.raises(RecordError, match="case X: seeds 10 and 7 were measured on different samples"):
        result(conditions, *runs)
    runs[at] = run(7, table(SECOND, order=(0, 1, 2)))
    with pytest.raises(RecordError, match="case X: seeds 10 and 7 were measured on different samples"):
        result(conditions, *runs)


def test_a_case_without_numbers_has_a_failure(conditions: Conditions) -> None:
    with pytest.raises(RecordError, match="case X: expected results or a failure, found neither"):
        result(conditions)
    failed = result(conditions, failure="timeout", message="took long")
    assert (failed.seeds, failed.failure, failed.message) == ((), "timeout", "took long")
    part = result(conditions, run(1, table(FIRST)), failure="error")
    assert part.seeds == (1,)


def test_what_is_not_said_of_a_case(conditions: Conditions) -> None:
    usual = result(conditions, run(1, table(FIRST)))
    assert (usual.batch_mean_size, usual.failure, usual.message) == (16, None, "")


def test_slices_of_one_patient_are_one_group(three: CaseResult) -> None:
    groups = three.groups
    assert groups.dtype == np.int64
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3  # two patients, and the sample without one by itself
    assert three.unit == "patient"
    assert three.strangers == 1


def test_without_any_patient_slices_are_the_unit(conditions: Conditions) -> None:
    nobody = result(conditions, run(1, table(FIRST, patient=[None] * 4)))
    assert nobody.unit == "sample"
    assert nobody.strangers == 4
    assert sorted(nobody.groups.tolist()) == [0, 1, 2, 3]


def test_the_caveat_counts_slices_without_a_patient(three: CaseResult, conditions: Conditions) -> None:
    assert three.caveat == (
        "the patient of 1 of 4 samples is unknown: intervals treat these samples as independent, "
        "and are too narrow if a patient has several of them"
    )
    independent = conditions.model_copy(update={"independent": True})
    assert result(independent, *three.runs).caveat == ""
    assert result(conditions, run(1, table(FIRST, patient=["a", "b", "a", "c"]))).caveat == ""


@pytest.mark.parametrize(("n_test", "seen"), [(60, 60), (1, 0), (60, 0)])
def test_patients_and_their_slices_are_among_the_test_slices(conditions: Conditions, n_test: int, seen: int) -> None:
    facts = PatientFacts(source="files", n_test=n_test, seen=seen)
    assert Conditions(**conditions.model_dump() | {"patients": facts}).patients == facts


@pytest.mark.parametrize(("n_test", "seen"), [(61, 0), (1, 61)])
def test_more_patients_than_test_slices_are_refused(conditions: Conditions, n_test: int, seen: int) -> None:
    facts = PatientFacts(source="table", n_test=n_test, seen=seen)
    problem = rf"at most 60, the number of test samples, got {n_test} and {seen}"
    with pytest.raises(ValidationError, match=problem):
        Conditions(**conditions.model_dump() | {"patients": facts})


@pytest.mark.parametrize(
    "change",
    [
        {"n_test": 0},
        {"image_size": 0},
        {"threshold": -0.01},
        {"threshold": 1.01},
        {"test_class_counts": [20, 40]},
        {"test_class_counts": [20, 20, 10, 10]},
        {"test_class_counts": [20, 41, -1]},
        {"epsilon": float("nan")},
        {"task": "phantom"},
        {"task": None},
        {"origin": "phantom"},
        {"scaling": "none"},
        {"n_test": "60"},
        {"split_name": None},
        {"surplus": 1},
    ],
    ids=str,
)
def test_conditions_out_of_range_are_refused(conditions: Conditions, change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Conditions(**conditions.model_dump() | change)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"n_test": 1, "test_class_counts": [1, 0, 0]},
        {"image_size": 1},
        {"truth_fingerprint": None, "input_fingerprint": None, "split_fingerprint": None, "test_class_counts": None},
    ],
    ids=str,
)
def test_conditions_at_their_bounds(conditions: Conditions, change: dict[str, object]) -> None:
    made = Conditions(**conditions.model_dump() | change)
    assert made.model_dump() == conditions.model_dump() | change
    assert (made.patients, made.independent) == (None, False)


@pytest.mark.parametrize(
    "facts", [{"source": "files", "n_test": 0, "seen": 0}, {"source": "files", "n_test": 1, "seen": -1}]
)
def test_facts_of_patients_out_of_range_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to"):
        PatientFacts(**facts)


@pytest.mark.parametrize("length", [3, 5])
def test_a_column_has_one_value_a_sample(length: int) -> None:
    good: list[float | None] = [0.5, None, 1.0, 0.0]
    made = SeedRun(seed=1, fingerprint="f", samples=table(FIRST, columns={"own": good}))
    assert made.samples.columns["own"] == good
    columns = {**made.samples.columns, "other": [0.0] * length}
    fields = made.samples.model_dump(exclude={"columns"})
    with pytest.raises(ValidationError, match=f"columns.other: expected 4 values, got {length}"):
        SeedRun(seed=1, fingerprint="f", samples=SampleTable(columns=columns, **fields))


@pytest.mark.parametrize(
    ("classes", "counts"), [((), []), (("a", "b", "c", "d"), [0, 20, 0, 40]), (("a",), None)], ids=str
)
def test_there_is_one_count_for_each_class_of_the_task(
    conditions: Conditions, classes: tuple[str, ...], counts: list[int] | None
) -> None:
    task = Task(name="made up", classes=classes, structures=("s",))
    fields = conditions.model_dump() | {"task": task}
    assert Conditions(**fields | {"test_class_counts": counts}).test_class_counts == counts
    with pytest.raises(ValidationError, match=f"test_class_counts: expected {len(classes)} numbers, got 3"):
        Conditions(**fields | {"test_class_counts": [20, 20, 20]})


def test_values_are_of_one_structure_where_that_is_asked_for(three: CaseResult) -> None:
    assert np.array_equal(three.seed_values("dice/tumour"), three.seed_values("dice"))
    with pytest.raises(StatsError, match="dice/oedema: the table has no"):
        three.values("dice/oedema")
