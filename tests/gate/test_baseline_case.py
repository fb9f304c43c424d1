"""Figures and cases of a baseline at their bounds, and what a baseline says of a case."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline
from btlib.gate.baseline_case import BaselineCase, Provenance, PublishedTest, ReferenceValue, Spread
from btlib.gate.text import compact
from btlib.results import PatientFacts, SeedRun
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]


def figure(**fields: Any) -> ReferenceValue:
    usual: dict[str, Any] = {
        "metric": "dice",
        "value": 0.5,
        "aggregation": "slice-mean",
        "margin": 0.02,
        "source": "test",
    }
    return ReferenceValue(**usual | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 0.0},
        {"value": 1.0},
        {"margin": 0.999},
        {"margin": 1e-9},
        {"aggregation": "batch-mean"},
        {"n": 1},
        {"version": 1},
        {"std": 0.0},
        {"metric": "hd95", "unit": "px", "value": 300.0, "margin": 5.0},
        {"metric": "brier", "value": 2.0, "margin": 1.999},
        {"metric": "nll", "unit": "nat", "value": 0.0},
        {"margin": None, "metric": "speed", "unit": "images/s", "value": 1e6, "aggregation": "none"},
        {"margin": None, "metric": "macro_f1", "value": -3.0, "aggregation": "class-mean"},
    ],
)
def test_a_figure_that_is_allowed(fields: dict[str, Any]) -> None:
    found = figure(**fields)
    found.require_gated(METRICS)
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"value": -1e-9}, "must be within 0…1"),
        ({"value": 1 + 1e-9}, "must be within 0…1"),
        ({"margin": 1.0}, "margin 1 is wider than the range 0…1 of dice"),
        ({"metric": "brier", "margin": 2.0}, "margin 2 is wider than the range 0…2 of brier"),
        ({"margin": 0.0}, "margin"),
        *(({"aggregation": name}, "must be a sample or batch mean") for name in ("class-mean", "class")),
        ({"aggregation": "none"}, "dice: expected the aggregation none for a metric of all samples together"),
        ({"aggregation": "slice-class-mean"}, "must be a sample or batch mean"),
        ({"aggregation": "patient-mean"}, "aggregation"),
        ({"metric": "macro_f1"}, "macro_f1: expected the aggregation none"),
        ({"metric": "parameters"}, "parameters: only a known metric can have a margin"),
        ({"metric": "hd95"}, "hd95: expected the unit px, got 1"),
        ({"unit": "px"}, "dice: expected the unit 1, got px"),
        ({"n": 0}, "n\n"),
        ({"version": 0}, "version\n"),
        ({"std": -0.1}, "std\n"),
        ({"value": float("nan")}, "value\n"),
        ({"colour": 1}, "colour\n"),
    ],
)
def test_a_figure_that_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):  # a ValidationError is one
        figure(**fields).require_gated(METRICS)


@pytest.mark.parametrize(
    ("kind", "fields", "allowed", "refused"),
    [
        (Spread, {"sd": 0.1, "trainings": 3, "source": "x"}, {"sd": 0.0}, {"sd": -1e-9}),
        (Spread, {"sd": 0.1, "trainings": 3, "source": "x"}, {"trainings": 2}, {"trainings": 1}),
        *(
            (
                PublishedTest,
                {"first": "A", "second": "B", "metric": "dice", "test": "t", "statistic": 1.0, "n": 3, "source": "x"},
                {"p": allowed},
                {"p": refused},
            )
            for allowed, refused in ((0.0, -1e-9), (1.0, 1 + 1e-9))
        ),
    ],
)
def test_bounds_of_other_numbers(
    kind: type[Any], fields: dict[str, Any], allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    kind(**fields | allowed)
    with pytest.raises(ValidationError, match=next(iter(refused))):
        kind(**fields | refused)


def runs_of(*tables: SampleTable) -> list[SeedRun]:
    return [SeedRun(seed=42 + i, fingerprint=None, samples=table) for i, table in enumerate(tables)]


@pytest.mark.parametrize("metric", ["dice", "accuracy"])
@pytest.mark.parametrize(("apart", "agrees"), [(4.9e-5, True), (-4.9e-5, True), (5.1e-5, False), (-5.1e-5, False)])
def test_a_gated_figure_is_the_mean_of_its_runs(metric: str, apart: float, agrees: bool, make_table: Table) -> None:
    """Over all of them, to four digits; the runs differ."""
    tables = [make_table(wrong=k, worse=k / 100) for k in (3, 12, 30)]
    values = [float((per_sample(table, "dice") if metric == "dice" else table.correct()).mean()) for table in tables]
    value = sum(values) / 3 + apart
    if agrees:
        BaselineCase(title="x", figures=[figure(metric=metric, value=value)], runs=runs_of(*tables))
    else:
        with pytest.raises(ValidationError, match=f"figures: {metric} is .*, but its samples give"):
            BaselineCase(title="x", figures=[figure(metric=metric, value=value)], runs=runs_of(*tables))
    BaselineCase(title="x", figures=[figure(metric=metric, value=0.1, margin=None)], runs=runs_of(*tables))


@pytest.mark.parametrize("at", range(3))
def test_every_run_of_a_case_is_checked(at: int, make_table: Table, changed: Table, reordered: Table) -> None:
    """For what a figure needs, and for the samples, which are the same in any order and not merely as many."""
    plain = make_table()
    accuracy = figure(metric="accuracy", value=1.0)
    tables = [make_table(classes=i != at) for i in range(3)]
    with pytest.raises(ValidationError, match="accuracy has a margin, but a run does not contain its values"):
        BaselineCase(title="x", figures=[accuracy], runs=runs_of(*tables))
    turned = reordered(plain, range(60)[::-1])
    BaselineCase(title="x", figures=[accuracy], runs=runs_of(*(turned if i == at else plain for i in range(3))))
    other = changed(plain, id=[*plain.id[:-1], "61"])
    with pytest.raises(ValidationError, match="runs: they do not have the same samples"):
        BaselineCase(title="x", figures=[accuracy], runs=runs_of(*(other if i == at else plain for i in range(3))))


def test_a_first_has_no_first() -> None:
    once = BaselineCase(title="x", figures=[])
    twice = BaselineCase(title="x", figures=[], first=once)
    with pytest.raises(ValidationError, match="first: must not have a field first itself"):
        BaselineCase(title="x", figures=[], first=twice)


def test_what_a_baseline_says_of_a_case(measured_baseline: Make, make_table: Table) -> None:
    """What is for reading stands before what is gated, and is not taken for it."""
    table = make_table()
    own = Provenance(source="own", created="2026-02-02", reason="added later")
    reading = figure(value=0.2, margin=None)
    gated = figure(value=float(per_sample(table, "dice").mean()))
    other = figure(metric="accuracy", value=0.3, margin=None)
    cases = {
        "X": BaselineCase(title="first", figures=[reading, gated, other], runs=runs_of(table, table)),
        "Y": BaselineCase(title="second", figures=[reading], runs=runs_of(table), made=own),
    }
    baseline = measured_baseline(cases=cases, commit="abc", recipe={"epochs": 3}, environment={"torch": "2"})
    assert [baseline.gated(name) for name in "XYZ"] == [["dice"], [], []]
    assert baseline.figure("X", "dice") is not None
    assert baseline.figure("X", "dice") == gated
    assert [baseline.figure(*at) for at in (("X", "accuracy"), ("Y", "dice"), ("Z", "dice"))] == [None] * 3
    result = baseline.result("X")
    assert result is not None
    assert (result.case, result.title, result.metrics) == ("X", "first", {"dice": 1})
    assert result.conditions == baseline.conditions
    assert list(result.runs) == cases["X"].runs
    assert baseline.result("Z") is None
    assert baseline.provenance_of("Y") == own
    whole = {"source": "test", "created": "2026-01-01", "reason": "test", "commit": "abc"}
    as_all = Provenance(**whole, recipe={"epochs": 3}, environment={"torch": "2"})
    assert baseline.provenance_of("X") == baseline.provenance_of("Z") == as_all


def test_a_published_case_has_no_result(published_baseline: Make) -> None:
    assert published_baseline().result("X") is None


def test_every_case_of_a_baseline_is_of_its_test_slices(measured_baseline: Make, make_table: Table) -> None:
    known = measured_baseline().cases["X"]
    fewer = BaselineCase(title="x", figures=[], runs=runs_of(make_table(59)))
    with pytest.raises(ValidationError, match=r"cases\.Y\.runs: 59 samples, but conditions\.n_test is 60"):
        measured_baseline(cases={"X": known, "Y": fewer})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"classes": ("glioma", "meningioma", "pituitary")},
            "classes: expected glioma, meningioma, pituitary as in the task, got meningioma, gl",
        ),
        ({"structures": ("lesion",)}, "structures: expected lesion as in the task, got tumour"),
    ],
)
def test_every_run_is_of_the_task_of_the_conditions(change: dict[str, Any], told: str, measured_baseline: Make) -> None:
    conditions = measured_baseline().conditions
    other = conditions.model_copy(update={"task": conditions.task.model_copy(update=change)})
    with pytest.raises(ValidationError, match=told):
        measured_baseline(conditions=other)


@pytest.mark.parametrize("at", range(2))
def test_every_run_has_patients_where_they_are_counted(at: int, measured_baseline: Make, make_table: Table) -> None:
    strange, known = make_table(patients=[*(f"P{i}" for i in range(59)), None]), make_table()
    cases = {"X": BaselineCase(title="x", figures=[], runs=runs_of(*(strange if i == at else known for i in (0, 1))))}
    patients = PatientFacts(source="files", n_test=60, seen=0)
    counted = measured_baseline().conditions.model_copy(update={"patients": patients})
    measured_baseline(cases=cases)
    measured_baseline(conditions=counted)
    with pytest.raises(ValidationError, match=r"cases\.X\.runs: a sample has no patient"):
        measured_baseline(cases=cases, conditions=counted)


def test_version_1_alone_may_lack_what_identifies_the_data(measured_baseline: Make) -> None:
    conditions = measured_baseline().conditions
    for name in ("truth_fingerprint", "input_fingerprint"):
        unknown = conditions.model_copy(update={name: None})
        measured_baseline(conditions=unknown, schema_version=1)
        with pytest.raises(ValidationError, match=f"{name}: required in a measured"):
            measured_baseline(conditions=unknown)
    unknown = conditions.model_copy(update={"split_fingerprint": None})
    for version in (1, 2):
        with pytest.raises(ValidationError, match="split_fingerprint: required in a measured"):
            measured_baseline(conditions=unknown, schema_version=version)


def test_text_that_a_diff_can_show() -> None:
    value = {"b": [1, 2.5, None], "a": {"z": {}, "y": [{"q": "ü", "p": []}]}, "c": "d"}
    assert compact(value).splitlines() == [
        "{",
        ' "a": {',
        '  "y": [',
        "   {",
        '    "p": [],',
        '    "q": "ü"',
        "   }",
        "  ],",
        '  "z": {}',
        " },",
        ' "b": [1, 2.5, null],',
        ' "c": "d"',
        "}",
    ]
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact({"a": [float("nan")]})
