import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from btlib import stats
from btlib.errors import StatsError


@given(st.integers(1, 700).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_agrees_with_statsmodels(counts, confidence):
    ours = stats.wilson(*counts, confidence)
    expected = proportion_confint(*counts, alpha=1 - confidence, method="wilson")
    assert (ours.low, ours.high) == pytest.approx(expected, abs=1e-9)
    assert ours.low <= ours.value <= ours.high


def test_all_right_is_not_certain():
    """The bound n / (n + z²) of Wilson's interval at its end."""
    result = stats.wilson(20, 20)
    assert (result.value, result.high) == (1, 1)
    assert result.low == pytest.approx(20 / (20 + 1.959964**2), rel=1e-6)


@pytest.mark.parametrize(
    ("successes", "n", "problem"),
    [
        (1, 0, "at least 1 samples, got 0"),
        (7, 6, "expected 0 to 6 successes, got 7"),
        (-1, 6, "got -1"),
        (0.9, 6, "got 0.9"),
        (math.nan, 6, "got nan"),
    ],
)
def test_what_is_no_proportion_is_refused(successes, n, problem):
    with pytest.raises(StatsError, match=problem):
        stats.wilson(successes, n)


def test_a_percentage_is_no_confidence():
    with pytest.raises(StatsError, match="between 0 and 1, got 95"):
        stats.wilson(5, 6, 95)
