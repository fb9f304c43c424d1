"""Slow losses: a case is also compared with the numbers that were accepted first, with twice the margin."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from btlib.gate import Baseline, Verdict, judge
from btlib.gate.baseline_case import BaselineCase, Provenance
from btlib.gate.gate_options import GateOptions
from btlib.gate.newcomers import judge_against
from btlib.gate.rule import DRIFT_MARGINS, judge_metric
from btlib.results import CaseResult
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def since(now: Baseline, first: Baseline, **changes: Any) -> Baseline:
    """The baseline with the case of another one as its first accepted numbers."""
    case = now.cases["X"].model_copy(update={"first": first.cases["X"].model_copy(update=changes)})
    return now.model_copy(update={"cases": now.cases | {"X": case}})


@pytest.fixture
def dice(make_table: Table, measured_baseline: Make, measured: Result) -> Callable[..., Verdict]:
    """The verdict on a Dice that is lower by some numbers: now, in the baseline, and when it was accepted first."""

    def judged(now: float, before: float, first: float = 0.0, **changes: Any) -> Verdict:
        tables = [make_table(worse=worse) for worse in (now, before, first)]
        baseline = since(measured_baseline(tables[1]), measured_baseline(tables[2]), **changes)
        return judge_metric(measured(tables[0]), "dice", baseline)

    return judged


def test_small_losses_do_not_add_up_unnoticed(dice: Callable[..., Verdict]) -> None:
    """Steps of half a margin, each accepted: every step passes on its own, and twice the margin stops them."""
    steps = [0.0, 0.01, 0.02, 0.03, 0.036, 0.046]
    found = [dice(now, before) for before, now in pairwise(steps)]
    assert [v.status for v in found] == ["pass", "pass", "pass", "pass", "regressed"]
    assert [v.drift.status for v in found if v.drift] == ["pass", "pass", "pass", "inconclusive", "regressed"]
    last = found[-1]
    assert last.difference == pytest.approx(-0.01, abs=0.003), "the step itself is within the margin"
    assert "the numbers first accepted on 2026-01-01" in last.reason
    assert "--move-first" in last.reason
    assert not any("first accepted" in v.reason for v in found[:-1])


def test_the_numbers_of_the_drift(dice: Callable[..., Verdict]) -> None:
    verdict = dice(0.05, 0.04)
    drift = verdict.drift
    assert drift is not None
    assert DRIFT_MARGINS == 2
    assert drift.margin == pytest.approx(0.04)
    assert drift.difference == pytest.approx(-0.05, abs=0.003)
    assert drift.low < drift.difference < drift.high
    assert drift.difference - drift.low == pytest.approx(1.97 * 0.002 * 2**0.5, rel=0.05)
    assert drift.describe() in verdict.reason
    assert verdict.measured == pytest.approx(drift.value + drift.difference, abs=1e-5)
    assert verdict.low > -0.02, "the interval of the verdict is that of the last step"


def test_the_margin_is_that_of_today(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    tables = [make_table(worse=worse) for worse in (0.05, 0.04, 0.0)]
    for margin, status in ((0.02, "regressed"), (0.03, "pass")):
        baseline = since(measured_baseline(tables[1], margin=margin), measured_baseline(tables[2], margin=0.5))
        verdict = judge_metric(measured(tables[0]), "dice", baseline)
        assert verdict.drift is not None
        assert (verdict.drift.margin, verdict.drift.status) == (pytest.approx(2 * margin), status)
        assert verdict.status == status


def test_an_accepted_loss_counts_also_if_the_models_are_the_same(dice: Callable[..., Verdict]) -> None:
    """Nothing changed since the baseline, which lies beyond twice the margin."""
    verdict = dice(0.1, 0.1)
    assert verdict.method == "paired by patient, the same models"
    assert (verdict.difference, verdict.status) == (0, "regressed")


def test_better_than_at_first_is_no_drift(dice: Callable[..., Verdict]) -> None:
    verdict = dice(0.0, 0.05, 0.05)
    assert verdict.drift is not None
    assert (verdict.status, verdict.drift.status) == ("improved", "improved")
    lower = dice(0.05, 0.0, 0.05)
    assert lower.drift is not None
    assert (lower.status, lower.drift.status) == ("regressed", "pass"), "as at first, and worse than the baseline"


def test_a_suspected_drift_is_a_suspected_loss(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    """Six wrong samples of 60 since the first numbers, of which three are new."""
    baseline = since(measured_baseline(make_table(wrong=3)), measured_baseline(make_table()))
    ours = measured(make_table(wrong=6))
    statuses = {}
    for alpha in (0.1, 0.005):
        verdict = judge_metric(ours, "accuracy", baseline, GateOptions(alpha=alpha))
        assert verdict.drift is not None
        statuses[alpha] = verdict.status, verdict.drift.status, verdict.failed
        assert verdict.drift.describe() in verdict.reason
    assert statuses == {0.1: ("regressed", "regressed", True), 0.005: ("suspect", "suspect", False)}
    alone = judge_metric(ours, "accuracy", measured_baseline(make_table(wrong=3)))
    assert (alone.status, alone.drift) == ("inconclusive", None)


def test_stages_and_the_family_count_for_the_drift_too(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    baseline = since(measured_baseline(make_table(wrong=3)), measured_baseline(make_table()))
    ours = measured(make_table(wrong=6))
    two = baseline.model_copy(update={"cases": baseline.cases | {"Y": baseline.cases["X"]}})
    once, staged = (judge_metric(ours, "accuracy", two, GateOptions(looks=looks)).drift for looks in (1, 3))
    assert once is not None
    assert staged is not None
    assert (once.status, staged.status) == ("regressed", "suspect")
    assert staged.low < once.low
    copies = {f"Y{k}": baseline.cases["X"] for k in range(20)}
    larger = baseline.model_copy(update={"cases": baseline.cases | copies})
    drift = judge_metric(ours, "accuracy", larger).drift
    assert drift is not None
    assert drift.status == "suspect"


def test_a_metric_in_which_lower_is_better(
    distances: Table, distance_baseline: Make, measured_distances: Result
) -> None:
    def judged(now: float, before: float, first: float) -> Verdict:
        baseline = since(distance_baseline(distances(before)), distance_baseline(distances(first)))
        return judge_metric(measured_distances(distances(now)), "hd95", baseline)

    assert [judged(12.3, 11.9, first).status for first in (10.0, 11.0)] == ["regressed", "pass"]
    assert judged(8.0, 8.1, 10.0).status == "pass"
    far = judged(12.3, 11.9, 10.0).drift
    assert far is not None
    assert (far.margin, far.difference) == (2.0, pytest.approx(2.3))
    near = judged(8.0, 8.1, 10.0).drift
    assert near is not None
    assert near.status == "improved"


def test_first_numbers_that_cannot_be_compared_are_left_out(
    make_table: Table, changed: Table, measured_baseline: Make, measured: Result
) -> None:
    """Other true labels or another version of the metric. A margin that came later does not matter: see the samples."""
    now, first = measured_baseline(make_table(worse=0.1)), measured_baseline()
    ours = measured(make_table(worse=0.1))

    def drift(**changes: Any) -> object:
        return judge_metric(ours, "dice", since(now, first, **changes)).drift

    assert drift() is not None
    table = make_table()
    other = changed(table, label=[1, *table.label[1:]])
    runs = [run.model_copy(update={"samples": other}) for run in first.cases["X"].runs]
    assert drift(runs=runs) is None
    figures = first.cases["X"].figures
    assert drift(figures=[f.model_copy(update={"version": 2}) for f in figures]) is None
    assert drift(figures=[f for f in figures if f.metric != "dice"]) is not None
    assert drift(figures=[f.model_copy(update={"margin": None}) for f in figures]) is not None
    assert judge_metric(ours, "dice", now).drift is None


def test_the_date_is_that_of_the_first_numbers(dice: Callable[..., Verdict]) -> None:
    made = Provenance(source="s", created="2024-05-06", reason="r")
    drift = dice(0.05, 0.04, made=made).drift
    assert drift is not None
    assert drift.since == "2024-05-06"


def test_a_new_case_has_no_first_numbers(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    baseline = since(measured_baseline(make_table(worse=0.1)), measured_baseline())
    found = judge_against(measured(make_table(worse=0.1), case="new"), baseline)
    assert [(v.status, v.drift) for v in found] == [("pass", None)] * 2


def test_a_case_that_cannot_be_compared_has_no_drift(
    make_table: Table, measured_baseline: Make, measured: Result, conditions: Any
) -> None:
    baseline = since(measured_baseline(make_table(worse=0.1)), measured_baseline())
    other = measured(make_table(worse=0.1), under=conditions.model_copy(update={"image_size": 64}))
    assert {(v.status, v.drift) for v in judge(other, baseline)} == {("not-comparable", None)}


def test_first_numbers_have_none_before_them(measured_baseline: Make) -> None:
    case = measured_baseline().cases["X"]
    once = case.model_copy(update={"first": case})
    with pytest.raises(ValueError, match="first: must not have a field first itself"):
        BaselineCase(**dict(case) | {"first": once})
