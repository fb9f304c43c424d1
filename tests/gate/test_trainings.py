"""The spread of trainings in the gate: whose it is, what it changes, and where it is not known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib import stats
from btlib.gate import Baseline
from btlib.gate.baseline_case import Spread
from btlib.gate.rule import judge_against, judge_metric
from btlib.gate.trainings import PRIOR_WEIGHT, between_trainings, is_rescored
from btlib.results import CaseResult
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def known(sd: float, trainings: int) -> Spread:
    return Spread(sd=sd, trainings=trainings, source="test")


def with_cases(baseline: Baseline, **fields: dict[str, object]) -> Baseline:
    """The baseline with more cases, which are X with other fields."""
    one = baseline.cases["X"]
    more = {name: one.model_copy(update=change) for name, change in fields.items()}
    return baseline.model_copy(update={"cases": baseline.cases | more})


def test_three_trainings_that_lie_far_apart_show_no_loss(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """Accuracies of .65, .40, .61 against .45, .62, .52: Welch's t test over seeds has p = .8, so nothing is shown."""
    ours = measured(*(make_table(wrong=k) for k in (21, 36, 23)))
    baseline = measured_baseline(*(make_table(wrong=k) for k in (33, 23, 29)))
    verdict = judge_metric(ours, "accuracy", baseline)
    assert (verdict.status, verdict.method) == ("inconclusive", "paired by patient, over trainings")
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < -0.2 < 0.2 < verdict.high
    assert "standard deviation between trainings: 0.1" in verdict.reason


def test_trainings_that_agree_show_a_loss(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    ours = measured(*(make_table(wrong=k) for k in (20, 21, 22)))
    verdict = judge_metric(ours, "accuracy", measured_baseline(*(make_table(wrong=k) for k in (1, 2, 3))))
    assert verdict.status == "regressed"


def test_one_training_is_judged_by_the_spread_of_the_other_cases(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """Where nothing is known of its own, and its own spread outweighs theirs where it is."""
    baseline = measured_baseline(make_table(wrong=2))
    ours = measured(make_table(wrong=5, seed=1))
    alone = judge_metric(ours, "accuracy", baseline)
    assert alone.method == "paired by patient"
    widths = []
    for sd in (0.001, 0.1):
        pool = with_cases(baseline, Y={"spread": {"accuracy": known(sd, 9)}})
        verdict = judge_metric(ours, "accuracy", pool)
        assert verdict.method == "paired by patient, over trainings"
        assert verdict.low is not None
        assert verdict.high is not None
        widths.append(verdict.high - verdict.low)
    assert widths[1] > 3 * widths[0]
    own = baseline.cases["X"].model_copy(update={"spread": {"accuracy": known(0.1, 30)}})
    narrow = with_cases(baseline, X=dict(own), Y={"spread": {"accuracy": known(0.001, 9)}})
    verdict = judge_metric(ours, "accuracy", narrow)
    assert "between trainings: 0.09" in verdict.reason
    whole = pool.model_copy(update={"spreads": {"accuracy": known(0.02, 3)}})
    assert "between trainings: 0.0200" in judge_metric(ours, "accuracy", whole).reason
    assert judge_metric(ours, "dice", pool).method == "paired by patient", "the spread is of another metric"


def test_whose_spread_it_is(make_table: Table, measured_baseline: Make) -> None:
    tables = [make_table(wrong=k) for k in (0, 6)]
    baseline = with_cases(measured_baseline(*tables), Y={"spread": {"accuracy": known(0.3, 30)}})
    ours, theirs = np.array([0.5, 0.9, 0.7]), np.array([1.0, 0.9])
    own, other = stats.pooled([ours]), stats.pooled([theirs])
    prior = stats.Variance(0.09, PRIOR_WEIGHT)
    one = between_trainings(ours, theirs, "X", "accuracy", baseline, same=True)
    assert one == (stats.moderated(stats.moderated(own, other), prior),) * 2
    two = between_trainings(ours, theirs, "X", "accuracy", baseline, same=False)
    assert two == (stats.moderated(own, prior), stats.moderated(other, prior))
    stored = measured_baseline(tables[0])
    case = stored.cases["X"].model_copy(update={"spread": {"accuracy": known(0.2, 3)}})
    stored = stored.model_copy(update={"cases": {"X": case}})
    first, _ = between_trainings(ours[:1], theirs[:1], "X", "accuracy", stored, same=True) or (None, None)
    assert first is not None
    assert (first.value, first.freedom) == (pytest.approx(0.04), 2)
    lone = measured_baseline(tables[0])
    assert between_trainings(ours, theirs[:1], "X", "accuracy", lone, same=False) == (own, own)
    assert between_trainings(ours[:1], theirs, "X", "accuracy", lone, same=False) == (other, other)
    assert between_trainings(ours[:1], theirs[:1], "X", "accuracy", lone, same=True) is None


def test_a_new_case_has_a_spread_of_its_own(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    baseline = measured_baseline(*(make_table(wrong=k) for k in (3, 3, 3)))
    ours = replace(measured(*(make_table(wrong=k) for k in (0, 10, 20))), case="new")
    verdict = next(v for v in judge_against(ours, baseline) if v.metric == "accuracy")
    assert verdict.reference == "X"
    assert "between trainings: 0.1667 and 0.0000" in verdict.reason
    right, wrong = ours.seed_values("accuracy"), np.ones((3, 60)) - (np.arange(60) < 3)
    spreads = stats.Variance(float(right.mean(axis=1).var(ddof=1)), 2), stats.Variance(0.0, 2)
    found = stats.crossed(right, wrong, ours.groups, between_trainings=spreads)
    assert (verdict.low, verdict.high) == pytest.approx((found.bound(0.025), found.bound(0.975)))


def test_the_same_models_are_scored_again_without_a_spread(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """Known by seed and fingerprint, or because all their numbers are equal."""
    tables = [make_table(wrong=k) for k in (0, 12)]
    baseline, ours = measured_baseline(*tables), measured(*tables)
    theirs = baseline.cases["X"].runs
    assert is_rescored(ours.runs, theirs)
    verdict = judge_metric(ours, "accuracy", baseline)
    assert (verdict.status, verdict.low, verdict.high, verdict.method) == ("pass", 0, 0, "paired by patient")
    changed = [run.model_copy(update={"samples": make_table(wrong=1)}) for run in ours.runs]
    assert not is_rescored(changed, theirs)
    named = [[run.model_copy(update={"fingerprint": "f"}) for run in side] for side in (changed, theirs)]
    assert is_rescored(*named)
    assert not is_rescored([run.model_copy(update={"seed": run.seed + 1}) for run in ours.runs], theirs)
    assert not is_rescored(ours.runs[:1], theirs)
