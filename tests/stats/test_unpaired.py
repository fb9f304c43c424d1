import math

import numpy as np
import pytest
from scipy import stats as sp
from statsmodels.regression.linear_model import OLS

from btlib import stats
from btlib.errors import StatsError


def test_agrees_with_scipys_welch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.2, 40), rng.normal(0.75, 0.3, 90)
    ours = stats.unpaired_mean_difference(a.mean(), a.std(ddof=1), 40, b.mean(), b.std(ddof=1), 90)
    theirs = sp.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert ours.difference == pytest.approx(a.mean() - b.mean())


def test_without_spread_there_is_no_doubt():
    assert stats.unpaired_mean_difference(0.5, 0, 9, 0.25, 0, 9) == stats.Interval(0.25, 0.25, 0.25)


@pytest.mark.parametrize(("std", "n", "problem"), [(math.nan, 9, "finite means"), (0.1, 1, "at least 2 values")])
def test_what_has_no_interval_is_refused(std, n, problem):
    with pytest.raises(StatsError, match=problem):
        stats.unpaired_mean_difference(0.5, std, n, 0.5, 0.1, 9)


def test_a_percentage_is_no_confidence():
    with pytest.raises(StatsError, match="between 0 and 1, got 95"):
        stats.unpaired_mean_difference(0.5, 0.1, 9, 0.5, 0.1, 9, confidence=95)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_independent_values_agree_with_scipys_welch(confidence):
    rng = np.random.default_rng(3)
    a, b = rng.beta(3, 1, 80), rng.beta(2, 1, 5)
    theirs = sp.ttest_ind(a, b, equal_var=False).confidence_interval(confidence)
    for groups in ((None, None), (np.arange(80), list("edcba"))):
        ours = stats.unpaired(a, b, *groups, confidence=confidence)
        assert ours.difference == pytest.approx(a.mean() - b.mean())
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_each_mean_has_the_cluster_robust_error_of_statsmodels():
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, 30), rng.normal(0, 2, 12)
    groups_a, groups_b = rng.integers(0, 7, 30), rng.integers(0, 4, 12)
    errors = [
        OLS(x, np.ones(len(x))).fit(cov_type="cluster", cov_kwds={"groups": of}).bse[0]
        for x, of in ((a, groups_a), (b, groups_b))
    ]
    sizes = [len(set(of.tolist())) for of in (groups_a, groups_b)]
    spreads = [error * math.sqrt(g) for error, g in zip(errors, sizes, strict=True)]
    theirs = stats.unpaired_mean_difference(a.mean(), spreads[0], sizes[0], b.mean(), spreads[1], sizes[1])
    ours = stats.unpaired(a, b, groups_a, groups_b)
    assert (ours.difference, ours.low, ours.high) == pytest.approx((theirs.difference, theirs.low, theirs.high))


def test_equal_values_have_no_spread():
    assert stats.unpaired([0.9] * 7, [0.7] * 3) == stats.Interval(*[pytest.approx(0.2)] * 3)
    found = stats.unpaired([0.9] * 7, [0.7] * 3)
    assert found.low == found.high


def test_values_of_a_group_go_together():
    """Twelve copies of each value say no more than one of each."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(1, 1, 20), rng.normal(0, 1, 30)
    once = stats.unpaired(a, b, np.arange(20), np.arange(30))
    copies = stats.unpaired(np.repeat(a, 12), np.repeat(b, 12), np.repeat(np.arange(20) * 7, 12), np.arange(360) // 12)
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high))
    apart = stats.unpaired(np.repeat(a, 12), np.repeat(b, 12), np.arange(240), np.arange(360))
    assert apart.high - apart.low < 0.5 * (once.high - once.low)


@pytest.mark.parametrize(
    ("a", "groups", "problem"),
    [
        ([0.1, math.nan, 0.3], [0, 1, 2], "not finite"),
        ([0.1, 0.2, 0.3], [4, 4, 4], "at least 2 groups, got 1"),
        ([0.1], [1], "at least 2 samples, got 1"),
        ([0.1, 0.2], [1, None], "some samples have no group"),
        ([0.1, 0.2], [1, 2, 3], "expected 2 groups, got 3"),
        ([[0.1, 0.2]], [1], "expected 1 axes"),
        (["x", "y"], [1, 2], "expected numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, groups, problem):
    b, groups_b = np.array([0.1, 0.2]), np.array([0, 1])
    with pytest.raises(StatsError, match=problem):
        stats.unpaired(a, b, groups, groups_b)
    with pytest.raises(StatsError, match=problem):
        stats.unpaired(b, a, groups_b, groups)
