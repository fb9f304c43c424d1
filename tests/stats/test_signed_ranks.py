import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError


def test_agrees_with_scipy_where_many_are_equal():
    rng = np.random.default_rng(0)
    b = rng.integers(0, 10, 80) / 10
    a = b + rng.integers(-1, 3, 80) / 8
    ours, theirs = stats.wilcoxon(a, b), sp.wilcoxon(a - b, zero_method="pratt")
    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (ours.n, ours.n_equal) == (80, np.sum(a == b))
    assert ours.n_equal > 5
    assert ours.p != pytest.approx(sp.wilcoxon(a - b, zero_method="wilcox").pvalue, rel=1e-6)


def test_p_is_exact_in_a_case_that_can_be_counted():
    """Five differences of the same sign: 2 of 32 sign patterns."""
    assert stats.wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5) == stats.SignedRanks(0, pytest.approx(2 / 32), 5, 0)


def test_all_equal_is_no_difference():
    assert stats.wilcoxon([0.5] * 7, [0.5] * 7) == stats.SignedRanks(0, 1, 7, 7)
    assert stats.rank_biserial([0.5] * 7, [0.5] * 7) == 0


def test_one_slice_that_differs_is_a_difference() -> None:
    """Of fourteen samples scipy takes the normal: one rank of 14 and a spread of 14, whose z is −1."""
    one = stats.wilcoxon([1.0, *[0.5] * 13], [0.5] * 14)
    assert one == stats.SignedRanks(0, pytest.approx(2 * sp.norm.sf(1)), 14, 13)


PAIR = st.tuples(st.integers(0, 5), st.integers(0, 5))
# of up to thirteen pairs with ties scipy counts all sign patterns, which takes long for more than eight
PAIRS = st.lists(PAIR, min_size=2, max_size=8) | st.lists(PAIR, min_size=14, max_size=60)


@given(PAIRS)
@settings(max_examples=25)
def test_ties_and_zeros_always_give_a_p_and_a_swap_changes_nothing(rows):
    a, b = zip(*rows, strict=True)
    one, other = stats.wilcoxon(a, b), stats.wilcoxon(b, a)
    assert 0 <= one.p <= 1
    assert one == other


@given(PAIRS)
@settings(max_examples=25)
def test_the_effect_is_the_statistics_share_of_all_ranks(rows):
    """Written independently: the smaller rank sum is (1 − |r|) / 2 of both."""
    a, b = map(np.array, zip(*rows, strict=True))
    effect = stats.rank_biserial(a, b)
    ranks = sp.rankdata(np.abs(a - b))[a != b]
    assert stats.wilcoxon(a, b).statistic == pytest.approx((1 - abs(effect)) / 2 * ranks.sum())
    assert effect == pytest.approx(-stats.rank_biserial(b, a))
    assert -1 <= effect <= 1


def test_the_effect_favours_a_where_a_is_larger():
    assert stats.rank_biserial([2.0, 3.0], [1.0, 1.0]) == 1
    assert stats.rank_biserial([1.0, 0.0, 5.0], [2.0, 3.0, 5.0]) == -1


@pytest.mark.parametrize("function", [stats.wilcoxon, stats.rank_biserial])
@pytest.mark.parametrize(("a", "problem"), [([1.0, math.nan], "not finite"), ([1.0], "same length")])
def test_what_cannot_be_ranked_is_refused(function, a, problem):
    with pytest.raises(StatsError, match=problem):
        function(a, [0.0, 0.0])
