import math

import numpy as np
import pytest
from scipy import stats as sp

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


def test_single_values_as_groups_agree_with_scipys_bootstrap():
    rng = np.random.default_rng(3)
    a, b = rng.beta(3, 1, 80), rng.beta(2, 1, 50)
    ours = stats.unpaired(a, b, np.arange(80), np.arange(50))
    theirs = sp.bootstrap(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours.difference == pytest.approx(a.mean() - b.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)


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
    [([0.1, math.nan, 0.3], [0, 1, 2], "not finite"), ([0.1, 0.2, 0.3], [4, 4, 4], "at least 2 groups, got 1")],
)
def test_what_cannot_be_drawn_from_is_refused(a, groups, problem):
    b, groups_b = np.array([0.1, 0.2]), np.array([0, 1])
    with pytest.raises(StatsError, match=problem):
        stats.unpaired(np.array(a), b, np.array(groups), groups_b)
    with pytest.raises(StatsError, match=problem):
        stats.unpaired(b, np.array(a), groups_b, np.array(groups))
