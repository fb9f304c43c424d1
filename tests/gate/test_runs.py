"""Several runs on either side: each is looked at, and its samples are paired by number."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib.evaluation import batch_mean
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline, judge
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.comparable import other_rendering, unlike
from btlib.gate.gate_options import GateOptions
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


@pytest.fixture
def shuffled() -> list[int]:
    return [int(i) for i in np.random.default_rng(3).permutation(60)]


def test_slices_in_any_order_give_the_same_interval(
    make_table: Table, reordered: Table, measured: Result, measured_baseline: Make, shuffled: list[int]
) -> None:
    """Of every seed on both sides; by position, the interval would be another one."""
    ours = [make_table(worse=0.02, seed=1, wrong=9), make_table(worse=0.03, seed=2, wrong=4)]
    theirs = [make_table(seed=3, wrong=5), make_table(seed=4, wrong=7)]

    def numbers(result: CaseResult, tables: list[SampleTable], metric: str) -> tuple[float | None, ...]:
        verdict = judge_metric(result, metric, measured_baseline(*tables))
        return verdict.measured, verdict.difference, verdict.low, verdict.high, verdict.p

    for metric in ("dice", "accuracy"):
        plain = _, difference, low, high, _ = numbers(measured(*ours), theirs, metric)
        assert low < difference < high
        for at in range(2):
            tables = [reordered(table, shuffled) if i == at else table for i, table in enumerate(theirs)]
            assert numbers(measured(*ours), tables, metric) == pytest.approx(plain)
        second = measured(ours[0], reordered(ours[1], shuffled))
        assert numbers(second, theirs, metric) == pytest.approx(plain)


def test_the_same_models_in_any_order_of_slices_have_no_difference(
    make_table: Table, reordered: Table, measured: Result, measured_baseline: Make, shuffled: list[int]
) -> None:
    table = make_table(wrong=7)
    ours = measured(reordered(table, shuffled))
    verdict = judge_metric(ours, "accuracy", measured_baseline(table, table), GateOptions(rescore=True))
    assert (verdict.status, verdict.difference, verdict.low, verdict.high) == ("pass", 0, 0, 0)


@pytest.mark.parametrize("at", range(3))
def test_true_slices_of_every_run_of_the_baseline_are_compared(
    at: int, make_table: Table, changed: Table, measured: Result, measured_baseline: Make
) -> None:
    table = make_table()
    areas = table.columns["tumour/truth_area"]
    area = areas[30]
    for name, column, step, theirs in (
        ("label", list(table.label), 1, (1, area)),
        ("tumour__truth_area", list(areas), 5, (0, area + 5)),
    ):
        column[30] += step
        tables = [changed(table, **{name: column}) if i == at else table for i in range(3)]
        verdict = judge_metric(measured(table), "dice", measured_baseline(*tables))
        assert verdict.status == "not-comparable"
        assert verdict.reason.splitlines()[1:] == [
            f"sample 31: measured label 0 and {area} true pixels, "
            f"baseline label {theirs[0]} and {theirs[1]} true pixels"
        ]


def test_slices_of_one_side_only_are_counted_on_both(
    make_table: Table, changed: Table, measured: Result, measured_baseline: Make
) -> None:
    """The first is the first as people count: 2 before 100, whatever the order."""
    table = make_table()
    moved = changed(table, id=[str(k) for k in (9, 200, 1, *range(4, 9), 300, *range(10, 60), 100)])
    verdict = judge_metric(measured(moved), "dice", measured_baseline(table))
    assert verdict.status == "not-comparable"
    assert "samples: 6 are on one side only, the first one is 2\n" in f"{verdict.reason}\n"


@pytest.mark.parametrize("at", range(3))
def test_every_seed_must_have_the_metric(at: int, make_table: Table, measured: Result, measured_baseline: Make) -> None:
    tables = [make_table(classes=i != at) for i in range(3)]
    verdict = judge_metric(measured(*tables), "accuracy", measured_baseline())
    assert verdict.status == "not-comparable"
    assert verdict.reason.splitlines()[1:] == [f"accuracy: not measured (seed {42 + at}); measure the case again"]
    assert (verdict.baseline, verdict.margin, verdict.measured) == (1.0, 0.02, None)


@pytest.mark.parametrize("at", range(3))
def test_one_undefined_slice_of_any_seed_is_enough(
    at: int, make_table: Table, changed: Table, measured: Result, measured_baseline: Make
) -> None:
    table = make_table()
    figure = ReferenceValue(
        metric="sensitivity",
        value=float((table.overlap()[0] / table.truth_area).mean()),
        aggregation="slice-mean",
        margin=0.02,
        source="test",
    )
    runs = [SeedRun(seed=42, fingerprint=None, samples=table)]
    baseline = measured_baseline().model_copy(
        update={"cases": {"X": BaselineCase(title="a case", figures=[figure], runs=runs)}}
    )
    assert judge_metric(measured(table), "sensitivity", baseline).status == "pass"
    none = {f"tumour__{name}": [0, *table.columns[f"tumour/{name}"][1:]] for name in ("truth_area", "intersection")}
    empty = changed(table, **none)
    tables = [empty if i == at else table for i in range(3)]
    verdict = judge_metric(measured(*tables), "sensitivity", baseline)
    assert verdict.status == "not-comparable"
    assert f"sensitivity: undefined for some samples (seed {42 + at})" in verdict.reason.splitlines()


def test_means_over_seeds_and_the_seeds_themselves(
    make_table: Table, measured: Result, measured_baseline: Make
) -> None:
    """Chosen so that first, last, middle, least and greatest are not the mean."""
    ours, theirs = [make_table(wrong=k) for k in (6, 24, 3)], [make_table(wrong=k) for k in (12, 0)]
    verdict = judge_metric(measured(*ours), "accuracy", measured_baseline(*theirs))
    assert verdict.seeds == pytest.approx((0.9, 0.6, 0.95))
    assert verdict.baseline_seeds == pytest.approx((0.8, 1.0))
    assert verdict.measured == pytest.approx(2.45 / 3)
    assert verdict.difference == pytest.approx(2.45 / 3 - 0.9)
    two = judge_metric(measured(*ours[:2]), "accuracy", measured_baseline(theirs[0]))
    assert two.seeds == pytest.approx((0.9, 0.6))
    assert two.baseline_seeds == ()
    one = judge_metric(measured(ours[0]), "accuracy", measured_baseline(*theirs))
    assert one.seeds == ()
    assert one.baseline_seeds == pytest.approx((0.8, 1.0))


def test_batch_means_of_both_sides_are_of_the_size_of_the_run(
    make_table: Table, measured: Result, measured_baseline: Make
) -> None:
    tables = [make_table(seed=seed) for seed in (1, 2)]
    value = float(np.mean([batch_mean(per_sample(table, "dice"), 16) for table in tables]))
    figure = ReferenceValue(metric="dice", value=value, aggregation="batch-mean", margin=0.02, source="test")
    plain = measured_baseline(*tables)
    case = BaselineCase(title="a case", figures=[figure], runs=plain.cases["X"].runs)
    baseline = plain.model_copy(update={"cases": {"X": case}})
    verdict = judge_metric(measured(*tables[::-1], batch_mean_size=7), "dice", baseline)
    expected = tuple(batch_mean(per_sample(table, "dice"), 7) for table in tables)
    assert verdict.baseline_seeds == expected != tuple(batch_mean(per_sample(table, "dice"), 16) for table in tables)
    assert verdict.seeds == expected[::-1]


def test_a_failure_of_some_seed_is_the_case_s(make_table: Table, measured: Result, measured_baseline: Make) -> None:
    """Though other seeds have numbers; and a failure has none to show."""
    result = measured(make_table(), failure="timeout", message="too slow")
    found = judge(result, measured_baseline())
    assert [(v.case, v.metric, v.status, v.reason) for v in found] == [
        ("X", "dice", "timeout", "too slow"),
        ("X", "accuracy", "timeout", "too slow"),
    ]
    assert {(v.measured, v.difference, v.low, v.high) for v in found} == {(None, None, None, None)}


@pytest.mark.parametrize(("ours", "theirs"), [(1, 2), (2, 1), (3, 2)])
def test_any_other_version_of_the_metric_is_another_definition(
    ours: int,
    theirs: int,
    make_table: Table,
    measured: Result,
    measured_baseline: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(METRICS._items, "dice", replace(METRICS["dice"], version=ours))
    case = measured_baseline().cases["X"]
    figures = [figure.model_copy(update={"version": theirs}) for figure in case.figures]
    baseline = measured_baseline(cases={"X": case.model_copy(update={"figures": figures})})
    verdict = judge_metric(measured(make_table()), "dice", baseline)
    assert verdict.status == "not-comparable"
    assert f"version of dice: measured {ours}, baseline {theirs}" in verdict.reason.splitlines()


@pytest.mark.parametrize("patient", ["P0", None])
def test_a_single_slice_cannot_tell_and_has_its_number(
    patient: str | None, make_table: Table, measured: Result, measured_baseline: Make, conditions: Conditions
) -> None:
    """Where its patient is unknown, too, it is not comparable."""
    one, table = conditions.model_copy(update={"n_test": 1}), make_table(1, patients=[patient])
    verdict = judge_metric(measured(table, under=one), "dice", measured_baseline(table, conditions=one))
    status = "not-comparable" if patient is None else "inconclusive"
    assert (verdict.status, verdict.measured, verdict.low) == (status, per_sample(table, "dice")[0], None)
    assert "at least 2 samples" in verdict.reason


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("i1", "i1", ""),
        (None, None, ""),
        ("i2", "i1", "inputs: another rendering of the samples (images measured 'i2', baseline 'i1')"),
        (None, "i1", "inputs: the measured result has no fingerprint of its images, so they may be another rendering"),
        ("i1", None, "inputs: the baseline has no fingerprint of its images, so they may be another rendering"),
    ],
)
def test_another_rendering(ours: str | None, theirs: str | None, told: str, conditions: Conditions) -> None:
    sides = (conditions.model_copy(update={"input_fingerprint": value}) for value in (ours, theirs))
    assert other_rendering(*sides) == told


def test_what_either_side_does_not_know(conditions: Conditions) -> None:
    """Of the baseline nothing unknown is compared; of what was measured the truth alone, which old records lack."""
    for field in Conditions.model_fields.keys() - {
        "task",
        "input_fingerprint",
        "patients",
        "independent",
        "spacing_fingerprint",
    }:
        unknown = conditions.model_copy(update={field: None})
        assert unlike(conditions, unknown) == []
        assert len(unlike(unknown, conditions)) == (0 if field == "truth_fingerprint" else 1), field
