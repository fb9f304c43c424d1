"""The rule of the gate, and that whatever cannot be compared fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import btlib
from btlib.evaluation.aggregate import per_sample
from btlib.gate import HOLDS, Baseline
from btlib.gate.comparable import unlike
from btlib.gate.gate_options import GateOptions
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def test_the_same_numbers_pass(make_table: Table, measured_baseline: Make, measured: Result):
    for metric in ("dice", "accuracy"):
        verdict = judge_metric(measured(make_table()), metric, measured_baseline())
        assert (verdict.status, verdict.difference) == ("pass", 0)
        assert verdict.method == "paired by patient, the same models"


@pytest.mark.parametrize(
    ("worse", "status"), [(-0.05, "improved"), (0.0, "pass"), (0.005, "pass"), (0.05, "regressed")]
)
def test_dice_against_a_measured_baseline(
    worse: float, status: str, make_table: Table, measured_baseline: Make, measured: Result
):
    baseline = measured_baseline(make_table(seed=1))
    verdict = judge_metric(measured(make_table(worse=worse, seed=2)), "dice", baseline)
    assert verdict.status == status
    assert verdict.low <= verdict.difference <= verdict.high
    assert verdict.measured - verdict.baseline == pytest.approx(verdict.difference, abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "margin", "status"),
    [(0, 0.02, "pass"), (3, 0.2, "pass"), (3, 0.02, "inconclusive"), (30, 0.02, "regressed")],
)
def test_accuracy_against_a_measured_baseline(
    wrong: int, margin: float, status: str, make_table: Table, measured_baseline: Make, measured: Result
):
    result = measured(make_table(wrong=wrong))
    verdict = judge_metric(result, "accuracy", measured_baseline(margin=margin))
    assert verdict.status == status
    assert verdict.difference == pytest.approx(-wrong / 60)


def test_patients_widen_the_interval(make_table: Table, measured_baseline: Make, measured: Result):
    """Twelve wrong samples of one patient out of five are one accident, not twelve."""
    alone, people = [f"P{i}" for i in range(60)], [f"P{i // 12}" for i in range(60)]
    by_slice, by_patient = (
        judge_metric(measured(make_table(wrong=12, patients=patients)), "accuracy", measured_baseline())
        for patients in (alone, people)
    )
    assert (by_slice.status, by_patient.status) == ("regressed", "inconclusive")
    assert by_patient.method == "paired by patient, over trainings"
    assert by_patient.difference == by_slice.difference


@pytest.mark.parametrize("kind", ["measured", "published"])
def test_unknown_patients_are_not_comparable_unless_slices_are_independent(
    kind: str,
    make_table: Table,
    measured_baseline: Make,
    published_baseline: Make,
    measured: Result,
    conditions: Conditions,
):
    """The numbers are shown, and named too narrow; neither a pass nor a loss is called."""
    baseline = measured_baseline() if kind == "measured" else published_baseline(value=0.9, std=0.03, n=60)
    for worse in (0.0, 0.3):
        unknown = make_table(worse=worse, patients=[*(f"P{i}" for i in range(59)), None])
        verdict = judge_metric(measured(unknown), "dice", baseline)
        assert (verdict.status, verdict.failed) == ("not-comparable", True)
        assert verdict.low <= verdict.difference <= verdict.high
        assert "too narrow" in verdict.reason
        assert "--bt-independent" in verdict.reason
        assert "by patient, " in verdict.method
        stated = measured(unknown, under=conditions.model_copy(update={"independent": True}))
        told = judge_metric(stated, "dice", baseline)
        assert told.status == ("regressed" if worse else "pass")
        assert told.difference == verdict.difference
        assert ("taken as independent, as the user stated" in told.reason) == (told.status != "not-comparable")


def test_known_patients_stay_together_beside_a_stranger(
    make_table: Table, measured_baseline: Make, measured: Result, conditions: Conditions
):
    """One sample without patient, called independent, must not turn an inconclusive loss into another verdict."""
    people = [f"P{i // 12}" for i in range(60)]
    stated = conditions.model_copy(update={"independent": True})
    known, strange = (
        judge_metric(measured(make_table(wrong=12, patients=patients), under=stated), "accuracy", measured_baseline())
        for patients in (people, [*people[:-1], None])
    )
    assert (known.status, strange.status) == ("inconclusive", "inconclusive")
    assert strange.low == pytest.approx(known.low, abs=0.1)


def test_another_rendering_is_named_and_only_strictly_not_comparable(
    make_table: Table, measured_baseline: Make, measured: Result, conditions: Conditions
):
    other = measured(make_table(), under=conditions.model_copy(update={"input_fingerprint": "i2"}))
    verdict = judge_metric(other, "dice", measured_baseline())
    assert verdict.status == "pass"
    assert "inputs: another rendering of the samples (images measured 'i2', baseline 'i1')" in verdict.reason
    strict = judge_metric(other, "dice", measured_baseline(), GateOptions(strict=True))
    assert strict.status == "not-comparable"
    assert "another rendering" in strict.reason
    assert [v.status for v in btlib.judge(other, measured_baseline(), strict=True)] == ["not-comparable"] * 2
    assert "rendering" not in judge_metric(measured(make_table()), "dice", measured_baseline()).reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tumour__truth_area": 1}, "sample 31: measured label 0 and"),
        ({"label": 1}, "sample 31: measured label 1 and"),
        ({"id": "00"}, "samples: 2 are on one side only, the first one is 31"),
    ],
)
def test_other_truth_under_the_same_conditions_is_not_comparable(
    change: dict[str, Any],
    told: str,
    make_table: Table,
    changed: Table,
    measured_baseline: Make,
    measured: Result,
):
    """A file that was edited, or one of version 1, whose conditions do not know the truth: the samples tell."""
    table = make_table()
    fields = {}
    for name, step in change.items():
        values = getattr(table, name) if "__" not in name else table.columns[name.replace("__", "/")]
        fields[name] = [*values[:30], values[30] + step, *values[31:]]
    verdict = judge_metric(measured(changed(table, **fields)), "dice", measured_baseline())
    assert verdict.status == "not-comparable"
    assert told in verdict.reason


def test_samples_are_paired_by_id_whatever_their_order(
    make_table: Table, reordered: Table, measured_baseline: Make, measured: Result
):
    table = make_table(wrong=7)
    turned = reordered(table, range(60)[::-1])
    verdict = judge_metric(measured(turned), "accuracy", measured_baseline(table), GateOptions(rescore=True))
    assert (verdict.difference, verdict.low, verdict.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("truth_fingerprint", "t2"),
        ("split_name", "patient-5fold-1"),
        ("split_fingerprint", "s2"),
        ("n_test", 59),
        ("test_class_counts", [19, 21, 20]),
        ("image_size", 64),
        ("scaling", "percentile"),
        ("threshold", 0.5),
        ("epsilon", 1e-5),
    ],
)
def test_other_conditions_are_not_comparable_and_named(
    field: str, value: object, make_table: Table, measured_baseline: Make, measured: Result, conditions: Conditions
):
    other = conditions.model_copy(update={field: value})
    verdict = judge_metric(measured(make_table(), under=other), "dice", measured_baseline())
    assert verdict.status == "not-comparable"
    assert verdict.failed
    assert f"{field}: measured {value!r}, baseline {getattr(conditions, field)!r}" in verdict.reason


def test_every_condition_is_compared(conditions: Conditions):
    """A field that is added to the conditions cannot be forgotten here."""
    for field in Conditions.model_fields.keys() - {
        "task",
        "input_fingerprint",
        "patients",
        "independent",
        "spacing_fingerprint",
    }:
        assert len(unlike(conditions.model_copy(update={field: "other"}), conditions)) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "figshare"}, "task: measured 'figshare', baseline 'phantom'"),
        ({"classes": ("a", "b", "c")}, "classes: measured ('a', 'b', 'c'), baseline ('meningioma', 'glioma', 'pit"),
        ({"structures": ("lesion",)}, "structures: measured ('lesion',), baseline ('tumour',)"),
        ({"synthetic": False}, "synthetic: measured False, baseline True"),
    ],
)
def test_another_task_is_not_comparable_and_named(
    change: dict[str, Any],
    told: str,
    make_table: Table,
    measured_baseline: Make,
    measured: Result,
    conditions: Conditions,
):
    other = conditions.model_copy(update={"task": conditions.task.model_copy(update=change)})
    verdict = judge_metric(measured(make_table(), under=other), "dice", measured_baseline())
    assert (verdict.status, verdict.failed) == ("not-comparable", True)
    assert told in verdict.reason
    assert len(unlike(other, conditions)) == 1


def test_what_a_task_says_of_its_data_does_not_make_numbers(conditions: Conditions):
    """Channels, licence and the like: the images have a fingerprint of their own."""
    about = {"channels": ("T1", "T2"), "spacing": (1.0, 1.0), "licence": "CC0", "citation": "doi", "independent": True}
    assert unlike(conditions.model_copy(update={"task": conditions.task.model_copy(update=about)}), conditions) == []


@pytest.mark.parametrize(("case", "metric"), [("Y", "dice"), ("X", "iou")])
def test_no_gated_figure_is_a_missing_baseline(
    case: str, metric: str, make_table: Table, measured_baseline: Make, measured: Result
):
    verdict = judge_metric(measured(make_table(), case=case), metric, measured_baseline())
    assert verdict.status == "missing-baseline"
    assert verdict.failed
    assert "btlib baseline accept" in verdict.reason


def test_a_single_slice_has_no_verdict(
    make_table: Table, measured_baseline: Make, measured: Result, conditions: Conditions
):
    one = conditions.model_copy(update={"n_test": 1})
    verdict = judge_metric(measured(make_table(1), under=one), "dice", measured_baseline(make_table(1), conditions=one))
    assert verdict.status == "inconclusive"
    assert "at least 2 samples" in verdict.reason


def test_against_a_published_mean_the_unpaired_interval(make_table: Table, published_baseline: Make, measured: Result):
    table = make_table()
    mean = float(per_sample(table, "dice").mean())
    verdict = judge_metric(measured(table), "dice", published_baseline(value=mean, std=0.03, n=60))
    assert (verdict.status, verdict.method) == ("pass", "unpaired, by patient, over trainings")
    worse = judge_metric(measured(table), "dice", published_baseline(value=mean + 0.05, std=0.03, n=60))
    wide = judge_metric(measured(table), "dice", published_baseline(value=mean + 0.05, std=0.3, n=60))
    assert (worse.status, wide.status) == ("regressed", "inconclusive")


def test_a_published_accuracy_has_the_spread_of_a_proportion(
    make_table: Table, published_baseline: Make, measured: Result
):
    baseline = published_baseline(metric="accuracy", value=0.9, n=60)
    verdict = judge_metric(measured(make_table(wrong=6)), "accuracy", baseline)
    half = 1.98 * np.sqrt(0.09 / 60 + 0.09 / 59)
    assert verdict.difference == pytest.approx(0)
    assert verdict.high == pytest.approx(half, rel=0.01)


def test_like_is_compared_with_like(make_table: Table, published_baseline: Make, measured: Result):
    """A batch mean is held against a batch mean, and its interval is around that."""
    from btlib.evaluation import batch_mean

    table = make_table()
    value = batch_mean(per_sample(table, "dice"), 16)
    baseline = published_baseline(value=value, std=0.03, n=60, aggregation="batch-mean")
    verdict = judge_metric(measured(table), "dice", baseline)
    assert verdict.measured == value != per_sample(table, "dice").mean()
    assert verdict.difference == pytest.approx(0)
    assert verdict.high == pytest.approx(-verdict.low)


def test_far_from_a_publication_is_not_comparable_on_other_slices(
    make_table: Table, published_baseline: Make, measured: Result, conditions: Conditions
):
    """Nothing made on other samples passes, and nothing is called worse for being low."""
    other = conditions.model_copy(update={"n_test": 99})
    table = make_table(worse=0.3)
    below = judge_metric(measured(table), "dice", published_baseline(other, value=0.9, std=0.1, n=99))
    above = judge_metric(measured(table), "dice", published_baseline(other, value=0.1, std=0.1, n=99))
    assert (below.status, above.status) == ("not-comparable", "not-comparable")
    assert above.failed
    assert below.difference < -0.1, "the numbers are shown"
    assert "n_test" in below.reason


def test_what_a_publication_leaves_open_is_not_compared(
    make_table: Table, published_baseline: Make, measured: Result, conditions: Conditions
):
    open_ended = conditions.model_copy(update={"dataset_fingerprint": None, "split_fingerprint": None})
    verdict = judge_metric(measured(make_table()), "dice", published_baseline(open_ended, value=0.5, std=0.1, n=60))
    assert verdict.status == "improved"


def test_a_verdict_never_contradicts_its_own_interval(make_table: Table, measured_baseline: Make, measured: Result):
    """The rule, restated: over drops from none to large, at several margins."""
    seen = set()
    for wrong in range(0, 20, 2):
        for margin in (0.01, 0.1, 0.3):
            v = judge_metric(measured(make_table(wrong=wrong)), "accuracy", measured_baseline(margin=margin))
            assert (v.status in HOLDS) == (v.low > -margin)
            assert (v.status == "regressed") == (v.difference < -margin and v.high < 0 and v.low <= -margin)
            seen.add(v.status)
    assert seen == {"pass", "inconclusive", "regressed"}


def test_the_message_has_all_a_reader_needs(make_table: Table, measured_baseline: Make, measured: Result):
    text = judge_metric(measured(make_table(wrong=30)), "accuracy", measured_baseline()).describe()
    assert "case X, accuracy: REGRESSED" in text
    assert "measured   0.5000" in text
    assert "baseline   1.0000, margin 0.02" in text
    assert "difference -0.5000, 95 % [" in text


def test_all_metrics_of_a_case_are_judged(make_table: Table, measured_baseline: Make, measured: Result):
    found = btlib.judge(measured(make_table(wrong=30)), measured_baseline())
    assert {v.metric: v.status for v in found} == {"dice": "pass", "accuracy": "regressed"}


def test_what_only_the_baseline_gates_is_judged_too(make_table: Table, measured_baseline: Make, measured: Result):
    """A margin that somebody put into the baseline is not passed over because the case does not know of it."""

    result = replace(measured(make_table(wrong=30)), metrics={"dice": 1})
    assert [(v.metric, v.status) for v in btlib.judge(result, measured_baseline())] == [
        ("dice", "pass"),
        ("accuracy", "regressed"),
    ]


def test_another_definition_of_the_metric_is_not_comparable(
    make_table: Table, measured_baseline: Make, measured: Result
):
    baseline = measured_baseline()
    case = baseline.cases["X"]
    figures = [figure.model_copy(update={"version": 2}) for figure in case.figures]
    newer = baseline.model_copy(update={"cases": {"X": case.model_copy(update={"figures": figures})}})
    verdict = judge_metric(measured(make_table()), "dice", newer)
    assert verdict.status == "not-comparable"
    assert "version of dice: measured 1, baseline 2" in verdict.reason


def test_a_metric_that_was_not_measured_is_not_comparable(
    make_table: Table, measured_baseline: Make, measured: Result, published_baseline: Make
):
    for baseline in (measured_baseline(), published_baseline(metric="accuracy", value=0.5)):
        verdict = judge_metric(measured(make_table(classes=False)), "accuracy", baseline)
        assert verdict.status == "not-comparable"
        assert "accuracy: not measured (seed 42)" in verdict.reason


@pytest.mark.parametrize("failure", ["error", "out-of-memory", "timeout"])
def test_a_case_that_failed_is_called_by_its_failure(failure: str, measured_baseline: Make, measured: Result):
    for verdict in btlib.judge(measured(failure=failure, message="no luck"), measured_baseline()):
        assert (verdict.status, verdict.reason, verdict.failed) == (failure, "no luck", True)


def test_the_mean_over_seeds_is_judged_and_their_spread_told(
    make_table: Table, measured_baseline: Make, measured: Result
):
    result = measured(make_table(wrong=0), make_table(wrong=6), make_table(wrong=12))
    verdict = judge_metric(result, "accuracy", measured_baseline(make_table(wrong=6), make_table(wrong=6, seed=1)))
    assert verdict.measured == pytest.approx(0.9)
    assert verdict.difference == pytest.approx(0)
    assert verdict.seeds == pytest.approx((1.0, 0.9, 0.8))
    assert verdict.baseline_seeds == pytest.approx((0.9, 0.9))
    assert "measured   0.9000 (3 seeds: 0.9000 ± 0.1000, 0.8000 … 1.0000)" in verdict.describe()


def test_seeds_are_paired_by_sample_whatever_their_order(
    make_table: Table, reordered: Table, measured_baseline: Make, measured: Result
):
    table = make_table(wrong=7)
    turned = reordered(table, range(60)[::-1])
    baseline = measured_baseline(turned, table)
    verdict = judge_metric(measured(table, turned), "accuracy", baseline, GateOptions(rescore=True))
    assert (verdict.difference, verdict.low, verdict.high) == (0, 0, 0)
