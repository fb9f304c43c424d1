import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sp
from statsmodels.stats.proportion import proportion_confint

from btlib import stats
from btlib.errors import StatsError

COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60))


@given(COUNTS)
def test_p_agrees_with_scipys_binomial_test(counts):
    ours = stats.mcnemar_from_counts(*counts)
    expected = sp.binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1.0
    assert ours == stats.McNemar(*counts, pytest.approx(expected))
    assert ours.p == stats.mcnemar_from_counts(*counts[::-1]).p


def test_counts_where_only_one_is_right():
    a = np.array([1, 1, 1, 0, 0, 1, 0, 1], dtype=bool)
    b = np.array([0, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    assert stats.discordant(a, b) == (3, 1)
    assert stats.mcnemar(a, b) == stats.McNemar(3, 1, pytest.approx(10 / 16))
    assert stats.mcnemar(b.astype(float), a.astype(float)) == stats.McNemar(1, 3, pytest.approx(10 / 16))


def test_agreement_everywhere_is_no_difference():
    assert stats.mcnemar([True, False, True], [True, False, True]) == stats.McNemar(0, 0, 1)


@pytest.mark.parametrize(
    ("a", "problem"),
    [
        ([0.7, 1.0], "bool, or 0 and 1.*got 0.7"),
        ([2, 1], "got 2"),
        ([True], "same length"),
        ([math.nan, 1], "not finite"),
    ],
)
def test_what_is_not_right_or_wrong_is_refused(a, problem):
    with pytest.raises(StatsError, match=problem):
        stats.mcnemar(a, [True, False])


@pytest.mark.parametrize("counts", [(-1, 3), (3, 0.5), (math.nan, 1), (1, math.inf)])
def test_what_is_no_count_is_refused(counts):
    with pytest.raises(StatsError, match="two counts"):
        stats.mcnemar_from_counts(*counts)
    with pytest.raises(StatsError, match="two counts"):
        stats.matched_odds_ratio(*counts)


def test_the_odds_ratio_and_its_interval_agree_with_statsmodels():
    ours = stats.matched_odds_ratio(40, 14, confidence=0.9)
    low, high = proportion_confint(40, 54, alpha=0.1, method="beta")
    assert (ours.ratio, ours.low, ours.high) == pytest.approx((40 / 14, low / (1 - low), high / (1 - high)))


@given(COUNTS.filter(any))
def test_the_odds_turn_round_with_a_swap_and_leave_1_out_where_p_is_small(counts):
    one, other = stats.matched_odds_ratio(*counts), stats.matched_odds_ratio(*counts[::-1])
    assert one.low <= one.ratio <= one.high
    assert one.low * other.high == pytest.approx(1) or (one.low, other.high) == (0, math.inf)
    assert (one.low > 1 or one.high < 1) == (stats.mcnemar_from_counts(*counts).p < 0.05)


def test_one_sided_disagreements_have_infinite_odds():
    result = stats.matched_odds_ratio(6, 0)
    assert (result.ratio, result.high) == (math.inf, math.inf)
    assert result.low == pytest.approx(0.025 ** (1 / 6) / (1 - 0.025 ** (1 / 6)))


def test_no_disagreement_has_no_odds():
    with pytest.raises(StatsError, match="never disagree"):
        stats.matched_odds_ratio(0, 0)
