"""Difference from a published mean: Welch's t test by SciPy, and what trainings and patients add to it."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from btlib import stats
from btlib.errors import StatsError

RNG = np.random.default_rng(2)
A = RNG.random(25)
NONE = stats.Variance(0.0, math.inf)


@pytest.mark.parametrize(("mean", "std", "n"), [(0.5, 0.3, 40), (0.7, 0.05, 9), (0.2, 1.5, 600), (0.5, 0.0, 12)])
def test_without_a_variance_between_trainings_it_is_welchs_test(mean: float, std: float, n: int) -> None:
    found = stats.crossed_with_published(A, mean, std, n, between_trainings=NONE)
    theirs: Any = scipy_stats.ttest_ind_from_stats(
        A.mean(), A.std(ddof=1), 25, mean, std, n, equal_var=False, alternative="less"
    )
    assert found.difference == pytest.approx(A.mean() - mean)
    assert found.p_above(0.0) == pytest.approx(theirs.pvalue)
    assert found.difference / found.error == pytest.approx(theirs.statistic)
    low, high = (found.bound(level) for level in (0.025, 0.975))
    interval = stats.unpaired_mean_difference(A.mean(), A.std(ddof=1), 25, mean, std, n)
    assert (low, high) == pytest.approx((interval.low, interval.high))
    assert (found.trainings, found.n_groups, found.n_trainings) == (0.0, 25, (1, 1))


def test_the_trainings_of_both_sides_are_added() -> None:
    many = RNG.random((3, 25))
    spread = stats.Variance(0.3, 6)
    found = stats.crossed_with_published(many, 0.5, 0.2, 40, between_trainings=spread)
    mine = stats.crossed(many, np.zeros((1, 25)), between_trainings=spread)
    theirs = 0.2**2 / 40
    assert found.trainings == pytest.approx(0.3 * (1 / 3 + 1))
    assert found.samples == pytest.approx(mine.samples + theirs)
    terms = mine.samples**2 / 24 + theirs**2 / 39 + found.trainings**2 / 6
    assert found.freedom == pytest.approx((found.samples + found.trainings) ** 2 / terms)
    assert (found.difference, found.n_trainings) == (pytest.approx(many.mean() - 0.5), (3, 1))


def test_samples_of_a_patient_count_for_less_on_both_sides() -> None:
    groups = np.arange(25) // 5
    clustered = A + groups
    found = stats.crossed_with_published(clustered, 2.0, 1.5, 60, groups, between_trainings=NONE)
    effect = stats.design_effect(clustered, groups)
    assert effect > 2
    sums = np.array([(clustered - clustered.mean())[groups == g].sum() for g in range(5)]) / 25
    mine, theirs = 5 / 4 * (sums**2).sum(), 1.5**2 * effect / 60
    assert found.samples == pytest.approx(mine + theirs)
    assert found.freedom == pytest.approx((mine + theirs) ** 2 / (mine**2 / 4 + theirs**2 / (60 / effect - 1)))
    assert found.n_groups == 5


def test_a_design_effect_leaves_at_least_one_degree_of_freedom() -> None:
    groups = np.arange(25) // 5
    found = stats.crossed_with_published(1e-3 * A + groups, 2.0, 50.0, 2, groups, between_trainings=NONE)
    assert found.freedom == pytest.approx(1, rel=0.01)


def test_without_any_variance_the_difference_is_certain() -> None:
    found = stats.crossed_with_published(np.full(9, 0.75), 0.5, 0.0, 9, between_trainings=NONE)
    assert (found.error, found.difference, found.bound(0.025), found.p_above(0.5)) == (0, 0.25, 0.25, 0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"a": [0.5]}, "at least 2 samples, got 1"),
        ({"a": [0.5, math.nan]}, "1 values are not finite"),
        ({"groups": ["P"] * 25}, "at least 2 groups, got 1"),
        ({"mean": math.nan}, "a published mean"),
        ({"mean": math.inf}, "a published mean"),
        ({"std": -0.1}, "a published standard deviation"),
        ({"std": math.nan}, "a published standard deviation"),
        ({"n": 1}, "a published number of samples"),
        ({"n": math.nan}, "a published number of samples"),
    ],
)
def test_what_is_out_of_range_is_refused(change: dict[str, Any], told: str) -> None:
    usual = {"a": A, "mean": 0.5, "std": 0.2, "n": 9}
    with pytest.raises(StatsError, match=told):
        stats.crossed_with_published(**usual | change, between_trainings=NONE)
