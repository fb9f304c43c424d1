"""Variation between trainings in the gate: whose it is, what it changes, and what is assumed if it is not known."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from btlib import stats
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline, trainings
from btlib.gate.baseline_case import Spread
from btlib.gate.newcomers import judge_against
from btlib.gate.rule import judge_metric
from btlib.gate.sides import Side
from btlib.gate.trainings import PRIOR_WEIGHT, Spreads, default_spread
from btlib.results import CaseResult
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def spreads(result: CaseResult, ours: np.ndarray, theirs: np.ndarray | None, *args: Any, newcomer: bool) -> Spreads:
    """The function of the gate, for values by training and sample."""

    def side(values: np.ndarray) -> Side:
        folds = np.unique(result.folds, return_inverse=True)[1] if result.folds else None
        return Side(values.mean(axis=1), values, None, result.groups, folds)

    return trainings.spreads(result, side(ours), None if theirs is None else side(theirs), *args, newcomer=newcomer)


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
    baseline = measured_baseline(*(make_table(wrong=k) for k in (33, 23, 29)), spread=None)
    verdict = judge_metric(ours, "accuracy", baseline)
    assert (verdict.status, verdict.method) == ("inconclusive", "paired by patient, over trainings")
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < -0.2 < 0.2 < verdict.high
    assert verdict.spread == pytest.approx(
        [np.sqrt((2 * np.var([39, 24, 37], ddof=1) + 2 * np.var([27, 37, 31], ddof=1)) / 4) / 60]
    )


def test_trainings_that_agree_show_a_loss(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    ours = measured(*(make_table(wrong=k) for k in (20, 21, 22)))
    baseline = measured_baseline(*(make_table(wrong=k) for k in (1, 2, 3)), spread=None)
    assert judge_metric(ours, "accuracy", baseline).status == "regressed"


def test_the_interval_is_that_of_crossed_trainings_and_patients(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    tables = [make_table(wrong=k, patients=[f"P{i // 3}" for i in range(60)]) for k in (3, 8, 4)]
    ours, baseline = measured(*tables[:2]), measured_baseline(tables[2], spread=0.03)
    verdict = judge_metric(ours, "accuracy", baseline)
    right = ours.seed_values("accuracy")
    spread = right.mean(axis=1).var(ddof=1)
    pooled = stats.Variance(float(spread + 199 * 0.03**2) / 200, 200)
    theirs = np.arange(60) >= 4
    found = stats.crossed(right, theirs, [i // 3 for i in range(60)], between_trainings=pooled)
    expected = (found.difference, found.bound(0.025), found.bound(0.975), found.p_above(0))
    assert (verdict.difference, verdict.low, verdict.high, verdict.p) == pytest.approx(expected)


def test_one_training_is_judged_by_the_spread_of_the_other_cases(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """If nothing is known of its own. Otherwise its own spread outweighs theirs."""
    baseline = measured_baseline(make_table(wrong=2), spread=None)
    ours = measured(make_table(wrong=5, seed=1))
    widths = []
    for sd in (0.001, 0.1):
        pool = with_cases(baseline, Y={"spread": {"accuracy": known(sd, 9)}})
        verdict = judge_metric(ours, "accuracy", pool)
        assert (verdict.spread, verdict.reason) == ((pytest.approx(sd),), "")
        assert verdict.low is not None
        assert verdict.high is not None
        widths.append(verdict.high - verdict.low)
    assert widths[1] > 3 * widths[0]
    own = baseline.cases["X"].model_copy(update={"spread": {"accuracy": known(0.1, 30)}})
    narrow = with_cases(baseline, X=dict(own), Y={"spread": {"accuracy": known(0.001, 9)}})
    verdict = judge_metric(ours, "accuracy", narrow)
    assert verdict.spread == pytest.approx([math.sqrt((0.01 * 29 + 1e-6 * 4) / 33)])
    whole = pool.model_copy(update={"spreads": {"accuracy": known(0.02, 3)}})
    assert judge_metric(ours, "accuracy", whole).spread == pytest.approx([0.02])
    assert "is not known" in judge_metric(ours, "dice", pool).reason, "the spread is of another metric"


def test_whose_spread_it_is(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    tables = [make_table(wrong=k) for k in (0, 6)]
    baseline = with_cases(measured_baseline(*tables, spread=None), Y={"spread": {"accuracy": known(0.3, 30)}})
    result = measured(make_table())
    rng = np.random.default_rng(5)
    ours, theirs = rng.random((3, 60)), rng.random((2, 60)) * 0.5
    own, other = stats.pooled([ours.mean(axis=1)]), stats.pooled([theirs.mean(axis=1)])
    prior = stats.Variance(0.09, PRIOR_WEIGHT)

    def found(ours: np.ndarray, theirs: np.ndarray | None, baseline: Baseline, newcomer: bool) -> Spreads:
        return spreads(result, ours, theirs, "accuracy", baseline, newcomer=newcomer)

    assert own is not None
    assert other is not None
    assert own.value != other.value
    both = stats.moderated(stats.moderated(own, other), prior)
    smaller = min(stats.interaction(ours, result.groups), stats.interaction(theirs, result.groups))
    assert found(ours, theirs, baseline, False) == Spreads(both, both, interaction=smaller)
    expected = Spreads(stats.moderated(own, prior), stats.moderated(other, prior))
    assert found(ours, theirs, baseline, True) == expected
    one = stats.moderated(own, prior)
    alone = stats.interaction(ours, result.groups)
    assert found(ours, None, baseline, False) == Spreads(one, one, interaction=alone)
    assert found(ours, theirs[:1], baseline, False).interaction == alone
    assert found(ours[:1], theirs[:1], baseline, False).interaction == 0
    lone = measured_baseline(tables[0], spread=None)
    assert found(ours, theirs[:1], lone, True) == Spreads(own, own)
    assert found(ours[:1], theirs, lone, True) == Spreads(other, other)
    stored = measured_baseline(tables[0], spread=0.2)
    for of_theirs in (theirs[:1], theirs):
        first = found(ours[:1], of_theirs, stored, False).ours
        assert (first.value, first.freedom) == (pytest.approx(0.04), 199), "a stored spread replaces the seeds' own"
    spread = Spread(sd=0.2, interaction=0.03, trainings=9, source="test")
    stored = with_cases(lone, X={"spread": {"accuracy": spread}})
    for sides in ((ours, theirs), (ours[:1], theirs[:1])):
        assert found(*sides, stored, False).interaction == pytest.approx(0.0009), "as is its interaction"
        assert found(*sides, stored, True).interaction == 0, "which says nothing about a new case"


def test_the_weight_of_the_other_cases_is_bounded(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    """Two others with 10 degrees of freedom each count as four; one with two degrees counts as two."""
    result, one = measured(make_table()), np.zeros((1, 60))
    lone = measured_baseline(make_table(), spread=None)
    two = with_cases(lone, Y={"spread": {"accuracy": known(0.1, 11)}}, Z={"spread": {"accuracy": known(0.3, 11)}})
    variance = spreads(result, one, one, "accuracy", two, newcomer=False).ours
    assert (variance.value, variance.freedom) == (pytest.approx((0.01 + 0.09) / 2), PRIOR_WEIGHT)
    few = with_cases(lone, Y={"spread": {"accuracy": known(0.1, 3)}})
    assert spreads(result, one, one, "accuracy", few, newcomer=False).ours.freedom == 2


def test_a_new_case_has_a_spread_of_its_own(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    reference = [make_table(wrong=3, worse=0.01 * seed) for seed in range(3)]  # other masks, the same accuracy
    baseline = measured_baseline(*reference, spread=None)
    ours = replace(measured(*(make_table(wrong=k) for k in (0, 10, 20))), case="new")
    verdict = next(v for v in judge_against(ours, baseline) if v.metric == "accuracy")
    assert verdict.reference == "X"
    assert verdict.spread == pytest.approx((1 / 6, 0.0))
    assert "standard deviation 0.1667 and 0.0000; " in verdict.describe()
    right, wrong = ours.seed_values("accuracy"), np.ones((3, 60)) - (np.arange(60) < 3)
    apart = stats.Variance(float(right.mean(axis=1).var(ddof=1)), 2), stats.Variance(0.0, 2)
    found = stats.crossed(right, wrong, ours.groups, between_trainings=apart)
    assert (verdict.low, verdict.high) == pytest.approx((found.bound(0.025), found.bound(0.975)))


@pytest.mark.parametrize("metric", [name for name in METRICS if METRICS[name].level == "sample"])
def test_the_assumed_spread_of_each_metric(metric: str) -> None:
    """A twentieth of the range; for distances, which have no upper bound, two and a half margins."""
    low, high = METRICS[metric].range
    expected = 2.5 * 3.0 if metric in ("hd95", "hd95_mm") else 0.05 * (high - low)
    assert math.isinf(high) == (metric in ("hd95", "hd95_mm"))
    assert default_spread(METRICS[metric], 3.0) == pytest.approx(expected)
    assert default_spread(METRICS["hd95"], None) == 2.5


@pytest.mark.parametrize("published", [False, True])
def test_without_a_known_spread_only_a_gross_loss_is_found(
    published: bool, make_table: Table, measured_baseline: Make, published_baseline: Make, measured: Result
) -> None:
    """The spread of 0.05 is taken as known, for one training on each side."""
    if published:
        baseline = published_baseline(metric="accuracy", value=0.95, spread=None, n=60)
    else:
        baseline = measured_baseline(make_table(wrong=3), spread=None)
    statuses = {}
    for wrong in (3, 10, 40):
        verdict = judge_metric(measured(make_table(wrong=wrong, seed=1)), "accuracy", baseline)
        statuses[wrong] = verdict.status
        assert "the spread between trainings is not known: a standard deviation of 0.05 is assumed" in verdict.reason
        assert "--bt-seeds 5" in verdict.reason
        assert "`btlib baseline spread`" in verdict.reason
        assert "--bt-rescore" in verdict.reason
        assert verdict.low is not None
        assert verdict.high is not None
        assert verdict.high - verdict.low > 2 * 1.96 * 0.05 * math.sqrt(2)
    assert statuses == {3: "inconclusive", 10: "inconclusive", 40: "regressed"}


def test_the_assumed_spread_has_no_degrees_of_freedom_to_lose(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    verdict = judge_metric(
        measured(make_table(wrong=5, seed=1)), "accuracy", measured_baseline(make_table(wrong=3), spread=None)
    )
    ours, theirs = np.arange(60) >= 5, np.arange(60) >= 3
    found = stats.crossed(ours, theirs, range(60), between_trainings=stats.Variance(0.05**2, math.inf))
    assert found.freedom > 59
    assert (verdict.low, verdict.high) == pytest.approx((found.bound(0.025), found.bound(0.975)))


def test_the_assumed_spread_of_a_distance_is_in_margins(
    distances: Table, distance_baseline: Make, measured_distances: Result
) -> None:
    for margin in (1.0, 4.0):
        baseline = distance_baseline(distances(10.0), margin=margin, spread=None)
        near, far = (
            judge_metric(measured_distances(distances(mean)), "hd95", baseline) for mean in (10.0 + margin, 60.0)
        )
        assert f"a standard deviation of {2.5 * margin:g} is assumed" in near.reason
        assert (near.status, far.status) == ("inconclusive", "regressed")
        assert near.high is not None
        assert near.low is not None
        assert near.high - near.low == pytest.approx(2 * 2.5 * margin * math.sqrt(2) * 1.96, rel=0.03)


def test_folds_with_trainings_of_their_own_reduce_the_spread(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """Three folds of 30, 20 and 10 samples: the mean over all has Σ (n_f/n)² of the variance of one training."""
    folds = tuple("aaabbc"[i % 6] for i in range(60))
    pooled = replace(measured(make_table(wrong=5, seed=1)), folds=folds)
    baseline = measured_baseline(make_table(wrong=5), spread=None)
    one = np.zeros((1, 60))
    found = spreads(pooled, one, one, "accuracy", baseline, newcomer=False)
    share = (1 / 2) ** 2 + (1 / 3) ** 2 + (1 / 6) ** 2
    assert found.assumed == 0.05
    assert found.ours == found.theirs
    assert found.ours.value == pytest.approx(0.05**2 * share)
    single = spreads(measured(make_table()), one, one, "accuracy", baseline, newcomer=False)
    assert single.ours.value == pytest.approx(0.05**2)
    widths = [
        v.high - v.low for v in (judge_metric(r, "accuracy", baseline) for r in (pooled, replace(pooled, folds=())))
    ]
    assert widths[0] < 0.75 * widths[1]


def test_folds_of_several_seeds_are_pooled_fold_by_fold(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    folds = tuple("aaabbc"[i % 6] for i in range(60))
    result = replace(measured(make_table()), folds=folds)
    rng = np.random.default_rng(1)
    ours, theirs = rng.random((3, 60)), rng.random((2, 60))
    baseline = measured_baseline(make_table(), spread=None)
    found = spreads(result, ours, theirs, "accuracy", baseline, newcomer=False)
    expected = stats.moderated(stats.between_seeds(ours, folds), stats.between_seeds(theirs, folds))
    smaller = min(stats.interaction(ours, result.groups), stats.interaction(theirs, result.groups))
    assert found == Spreads(expected, expected, interaction=smaller)
    apart = spreads(result, ours, theirs, "accuracy", baseline, newcomer=True)
    assert apart == Spreads(stats.between_seeds(ours, folds), stats.between_seeds(theirs, folds))
