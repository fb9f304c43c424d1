"""The gap between two splits: only between them, with patients drawn whole, and never between unlike runs."""

from collections.abc import Callable

import numpy as np
import pytest

from btlib import stats
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import RecordError
from btlib.reporting.leakage import Gap, leakage, leakage_table, seen_line
from btlib.reporting.sources import Source
from btlib.results import CaseResult, Conditions, PatientFacts, SeedRun
from btlib.sample_table import SampleTable

from .cells import rows

Table = Callable[..., SampleTable]


@pytest.fixture
def result(conditions: Conditions) -> Callable[..., CaseResult]:
    def make(case: str, *tables: SampleTable, seen: int | None = -1, **other: object) -> CaseResult:
        """By sample all test patients are trained on, and by patient none, unless said otherwise."""
        runs = tuple(SeedRun(seed=k, fingerprint=None, samples=table) for k, table in enumerate(tables))
        if seen == -1:
            seen = 0 if "split_name" in other else 60
        patients = None if seen is None else PatientFacts(source="files", n_test=10, seen=seen)
        under = conditions.model_copy(update={"patients": patients, **other})
        return CaseResult(case, case, under, {"dice": 1, "accuracy": 1}, runs, failure=None if runs else "error")

    return make


EIGHT: dict[str, object] = {"epochs": 8}


def measured(*results: CaseResult, recipe: dict[str, object] | None = EIGHT, name: str = "run") -> Source:
    return Source(name, results, None, recipes={r.case: recipe for r in results if recipe})


def test_the_gap_of_each_metric(result: Callable[..., CaseResult], make_table: Table):
    patients = [f"P{i // 6}" for i in range(60)]
    near = make_table(wrong=3, patients=[f"Q{i // 3:02d}" for i in range(60)])
    apart = make_table(worse=0.2, wrong=18, patients=patients)
    gaps = leakage(
        measured(result("X", near), result("Y", near)),
        measured(result("X", apart, split_name="cvind-1", split_fingerprint="s2")),
    )
    assert [(gap.case, gap.metric) for gap in gaps] == [("X", "dice"), ("X", "accuracy")]
    dice, accuracy = gaps
    assert dice.gap == pytest.approx(0.2, abs=0.02)
    assert (accuracy.near, accuracy.apart, accuracy.gap) == pytest.approx((0.95, 0.7, 0.25))
    assert (dice.groups_near, dice.groups_apart) == (20, 10)
    wanted = stats.unpaired(near.correct(), apart.correct(), np.arange(60) // 3, np.arange(60) // 6)
    assert (accuracy.low, accuracy.high) == pytest.approx((wanted.low, wanted.high))
    assert accuracy.low < 0.25 < accuracy.high
    assert "+0.2500" in leakage_table(gaps)


def test_cases_without_classes_have_no_gap_of_them(result: Callable[..., CaseResult], make_table: Table):
    masks = make_table(classes=False)
    gaps = leakage(measured(result("A", masks)), measured(result("A", masks, split_name="patient-5fold-1")))
    assert [gap.metric for gap in gaps] == ["dice"]
    assert gaps[0].gap == 0


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({}, "expected different splits and otherwise equal conditions, found different: nothing"),
        ({"split_name": "patient-5fold-1", "image_size": 64}, "found different: image_size"),
        ({"split_name": "patient-5fold-1", "truth_fingerprint": "t2"}, "found different: truth_fingerprint"),
    ],
)
def test_unlike_runs_have_no_gap(
    result: Callable[..., CaseResult], make_table: Table, other: dict[str, object], problem: str
):
    with pytest.raises(RecordError, match=problem):
        leakage(measured(result("X", make_table())), measured(result("X", make_table(), **other)))


@pytest.mark.parametrize(
    ("recipes", "problem"),
    [
        (({"epochs": 8, "name": "modern"}, {"epochs": 4, "name": "modern"}), "case X: .*epochs 8 and 4"),
        ((EIGHT, EIGHT | {"augment": True}), "augment None and True"),
        ((None, EIGHT), "case X of near: the training recipe is not known"),
        ((EIGHT, None), "case X of apart: the training recipe is not known"),
        ((None, None), "case X of near: the training recipe is not known"),
    ],
)
def test_two_recipes_have_no_gap(
    result: Callable[..., CaseResult],
    make_table: Table,
    recipes: tuple[dict[str, object] | None, dict[str, object] | None],
    problem: str,
):
    near, apart = result("X", make_table()), result("X", make_table(), split_name="patient-5fold-1")
    with pytest.raises(RecordError, match=problem):
        leakage(measured(near, recipe=recipes[0], name="near"), measured(apart, recipe=recipes[1], name="apart"))


def test_other_seeds_have_no_gap(result: Callable[..., CaseResult], make_table: Table):
    near, apart = result("X", make_table()), result("X", make_table(), make_table(), split_name="patient-5fold-1")
    with pytest.raises(RecordError, match="case X: expected the same seeds in both runs, found 0 and 0, 1"):
        leakage(measured(near), measured(apart))


@pytest.mark.parametrize(
    ("near", "apart", "problem"),
    [
        (None, 0, "case X on slice-seed42: the patients in training are not known"),
        (60, None, "case X on patient-5fold-1: the patients in training are not known"),
        (0, 0, "and none on patient-5fold-1, found 0 and 0 test samples of such patients"),
        (60, 1, "found 60 and 1 test samples of such patients"),
    ],
)
def test_what_is_told_is_leakage_only_where_patients_tell_the_splits_apart(
    result: Callable[..., CaseResult], make_table: Table, near: int | None, apart: int | None, problem: str
):
    sides = result("X", make_table(), seen=near), result("X", make_table(), seen=apart, split_name="patient-5fold-1")
    with pytest.raises(RecordError, match=problem):
        leakage(measured(sides[0]), measured(sides[1]))


def test_failed_and_strange_cases_are_told(result: Callable[..., CaseResult], make_table: Table):
    with pytest.raises(RecordError, match="expected a common case, found X and Y"):
        leakage(measured(result("X", make_table())), measured(result("Y", make_table())))
    with pytest.raises(RecordError, match="case X: failed"):
        leakage(measured(result("X", make_table())), measured(result("X", split_name="patient-5fold-1")))


@pytest.mark.parametrize(
    "condition",
    [
        {"task": FIGSHARE},
        {"truth_fingerprint": "t2"},
        {"input_fingerprint": "i2"},
        {"image_size": 64},
        {"scaling": "percentile"},
        {"threshold": 0.5},
    ],
    ids=lambda condition: next(iter(condition)),
)
def test_two_splits_are_the_only_difference(
    result: Callable[..., CaseResult], make_table: Table, condition: dict[str, object]
):
    other = result("X", make_table(), split_name="patient-5fold-1", **condition)
    with pytest.raises(RecordError, match=f"found different: {next(iter(condition))}"):
        leakage(measured(result("X", make_table())), measured(other))


def test_every_case_of_both_is_checked(result: Callable[..., CaseResult], make_table: Table):
    """Not the first alone: the second was trained by another recipe, or with other patients in training."""
    near, apart = ([result(case, make_table(), **more) for case in "XY"] for more in ({}, {"split_name": "p"}))
    recipes = {"X": EIGHT, "Y": {"epochs": 4}}
    with pytest.raises(RecordError, match="case Y: expected the same recipe in both runs"):
        leakage(Source("near", tuple(near), None, recipes=recipes), measured(*apart))
    seen = [apart[0], result("Y", make_table(), split_name="p", seen=3)]
    with pytest.raises(RecordError, match="case Y: expected test patients in training"):
        leakage(measured(*near), measured(*seen))


def test_a_metric_needs_numbers_of_all_seeds_on_both_sides(result: Callable[..., CaseResult], make_table: Table):
    both, masks = make_table(), make_table(classes=False)
    for near, apart in (((both, masks), (both, both)), ((both, both), (both, masks)), ((masks, both), (both, both))):
        sides = result("X", *near), result("X", *apart, split_name="p")
        assert [gap.metric for gap in leakage(measured(sides[0]), measured(sides[1]))] == ["dice"]


def test_seeds_are_averaged_on_each_side(result: Callable[..., CaseResult], make_table: Table):
    near = result("X", make_table(wrong=0), make_table(wrong=6))
    apart = result("X", make_table(wrong=12), make_table(wrong=30), split_name="p")
    accuracy = leakage(measured(near), measured(apart))[1]
    assert (accuracy.near, accuracy.apart, accuracy.gap) == pytest.approx((0.95, 0.65, 0.3))


def test_every_number_of_a_gap_has_its_column():
    gap = Gap("a|b", "dice", near=0.75, apart=0.5, gap=0.25, low=0.125, high=0.375, groups_near=20, groups_apart=9)
    (row,) = rows(leakage_table([gap], "github").replace(r"\|", "/"))
    assert row == {
        "case": "a/b",
        "metric": "dice",
        "patients shared": "0.7500",
        "patients apart": "0.5000",
        "gap": "+0.2500",
        "95 % interval": "+0.1250 … +0.3750",
        "patients": "20 / 9",
    }


def test_whose_slices_were_trained_on_in_a_line(result: Callable[..., CaseResult], make_table: Table):
    told = "split slice-seed42; {} of 60 test samples are of patients who are also in training"
    assert seen_line(measured(result("X", make_table(), seen=7), name="r")) == "r: " + told.format(7)
    assert seen_line(measured(result("X", make_table(), seen=0), name="r")) == "r: " + told.format(0)
    assert seen_line(measured(result("X", make_table(), seen=None), name="r")) == "r: " + told.format("–")
