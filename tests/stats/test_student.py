import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    base = rng.random(25)
    return base + rng.normal(0.05, 0.1, 25), base


def test_agrees_with_scipy(pair):
    ours, theirs = stats.paired_t(*pair), sp.ttest_rel(*pair)
    assert (ours.statistic, ours.p, ours.freedom) == pytest.approx((theirs.statistic, theirs.pvalue, 24))
    assert ours.difference / ours.error == pytest.approx(theirs.statistic)
    for confidence in (0.9, 0.95):
        bounds, expected = ours.interval(confidence), theirs.confidence_interval(confidence)
        assert (bounds.low, bounds.high) == pytest.approx((expected.low, expected.high))
        assert bounds.difference == ours.difference


def test_summaries_say_what_the_values_say(pair):
    a, b = pair
    summary = (a.mean(), a.std(ddof=1), b.mean(), b.std(ddof=1))
    correlation = np.corrcoef(a, b)[0, 1]
    whole, short = stats.paired_t(a, b), stats.paired_t_from_summary(*summary, correlation, 25)
    assert (short.difference, short.error, short.statistic, short.p) == pytest.approx(
        (whole.difference, whole.error, whole.statistic, whole.p)
    )
    assert stats.implied_correlation(*summary, whole.statistic, 25) == pytest.approx(correlation)


@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 64)), min_size=2, max_size=20))
def test_a_swap_turns_t_round_and_what_has_no_spread_is_refused(rows):
    a, b = np.transpose(rows) / 64  # subtracted without rounding
    if np.ptp(a - b) == 0 and (a != b).any():
        with pytest.raises(StatsError, match="without spread"):
            stats.paired_t(a, b)
        return
    one, other = stats.paired_t(a, b), stats.paired_t(b, a)
    assert 0 <= one.p <= 1
    assert (one.statistic, one.p) == (-other.statistic, other.p)


def test_equal_values_differ_by_nothing():
    assert stats.paired_t([0.1, 0.7, 0.7], [0.1, 0.7, 0.7]) == stats.TTest(0, 0, 0, 2, 1)
    assert stats.paired_t([0.1, 0.7], [0.1, 0.7]).interval() == stats.Interval(0, 0, 0)


def test_a_trace_of_rounding_is_no_difference():
    """0.1 + 0.2 is not quite 0.3."""
    for first, second in ((0.1 + 0.2, 0.3), (0.3, 0.1 + 0.2)):
        assert stats.paired_t([first, 0.5, 0.5], [second, 0.5, 0.5]).p == 1
        assert stats.cohens_dz([first, 0.5, 0.5], [second, 0.5, 0.5]) == 0
    assert stats.paired_t([5e-324, 0.0], [0.0, 0.0]).p == 1


@pytest.mark.parametrize("n", [2, 50])
def test_a_constant_difference_has_no_t(n):
    values = np.linspace(0, 1, n)
    with pytest.raises(StatsError, match=r"all differences are 0\.1: t is undefined without spread\n.*paired"):
        stats.paired_t(values + 0.1, values)


def test_two_slices_are_enough():
    """Differences 1 and 3: t = 2 on one degree of freedom, whose p is 1 − 2 atan(t)/π."""
    result = stats.paired_t([1.0, 3.0], [0.0, 0.0])
    assert (result.statistic, result.freedom) == (pytest.approx(2), 1)
    assert result.p == pytest.approx(1 - 2 * math.atan(2) / math.pi)


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        ((0.5, -0.1, 0.4, 0.1, 0.5, 9), "standard deviation of 0 or more, got -0.1"),
        ((0.5, 0.1, 0.4, math.nan, 0.5, 9), "standard deviation of 0 or more, got nan"),
        ((0.5, 0.1, 0.4, 0.1, 1.5, 9), "correlation between -1 and 1, got 1.5"),
        ((0.5, 0.1, 0.4, 0.1, math.nan, 9), "correlation between -1 and 1, got nan"),
        ((math.nan, 0.1, 0.4, 0.1, 0.5, 9), "a difference between -inf and inf, got nan"),
        ((0.5, 0.1, 0.4, 0.1, 0.5, 1), "at least 2 samples, got 1"),
        ((0.5, 0.1, 0.25, 0.1, 1.0, 9), "without spread"),
    ],
)
def test_summaries_that_make_no_sense_are_refused(summary, problem):
    with pytest.raises(StatsError, match=problem):
        stats.paired_t_from_summary(*summary)


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        ((0.5, 0.1, 0.4, 0.1, 0.001, 9), "implies a correlation"),
        ((0.5, 0.1, 0.4, 0.1, -3.0, 9), "a standard deviation of -0.1"),
        ((0.5, 0.1, 0.4, 0.1, 0.0, 9), "implies no correlation"),
        ((0.5, 0.0, 0.4, 0.1, 2.0, 9), "implies no correlation"),
        ((0.5, 0.1, 0.4, 0.1, math.nan, 9), "implies"),
    ],
)
def test_a_t_that_no_correlation_gives_is_refused(summary, problem):
    with pytest.raises(StatsError, match=problem):
        stats.implied_correlation(*summary)


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [((1.0, -1.0, 3), "standard error"), ((1.0, math.inf, 3), "standard error"), ((1.0, 1.0, 0), "freedom")],
)
def test_t_test_refuses_what_has_no_t(numbers, problem):
    with pytest.raises(StatsError, match=problem):
        stats.t_test(*numbers)


def test_a_percentage_is_no_confidence(pair):
    with pytest.raises(StatsError, match="between 0 and 1, got 95"):
        stats.paired_t(*pair).interval(95)
