import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError


def test_agrees_with_two_one_sided_tests_of_scipy():
    rng = np.random.default_rng(0)
    b = rng.random(200)
    a = b + rng.normal(0.003, 0.1, 200)
    ours = stats.tost(a, b, margin=0.02)
    above = sp.ttest_1samp(a - b, -0.02, alternative="greater").pvalue
    below = sp.ttest_1samp(a - b, 0.02, alternative="less").pvalue
    bounds = sp.ttest_rel(a, b).confidence_interval(0.9)
    assert ours.p == pytest.approx(max(above, below))
    assert (ours.low, ours.high) == pytest.approx((bounds.low, bounds.high))
    assert (ours.difference, ours.margin) == (pytest.approx((a - b).mean()), 0.02)


@given(st.integers(0, 10_000), st.floats(0.005, 0.1), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=60)
def test_equivalent_is_an_interval_inside_the_margin(seed, margin, alpha):
    a, b = np.random.default_rng(seed).normal(0, 0.1, (2, 60))
    result = stats.tost(a, b, margin, alpha)
    assert result.equivalent == stats.inside_margin(result.low, result.high, margin) == (result.p < alpha)
    assert result.p == pytest.approx(stats.tost(b, a, margin, alpha).p)


def test_both_verdicts_happen():
    a = np.random.default_rng(1).normal(0, 0.1, 100)
    noise = np.random.default_rng(2).normal(0, 0.05, 100)
    assert stats.tost(a, a + noise, margin=0.02).equivalent
    assert not stats.tost(a, a + noise, margin=0.002).equivalent
    assert not stats.tost(a, a + noise + 0.1, margin=0.02).equivalent


@pytest.mark.parametrize(("shift", "p"), [(0.0, 0.0), (0.125, 0.0), (0.25, 1.0), (-0.5, 1.0)])
def test_without_spread_the_difference_decides(shift, p):
    values = np.array([0.5, 0.75, 0.25])
    result = stats.tost(values + shift, values, margin=0.25)
    assert result == stats.Equivalence(shift, shift, shift, 0.25, p, p == 0)


def test_the_margins_edge_is_outside():
    assert stats.inside_margin(-0.019, 0.019, 0.02)
    assert not stats.inside_margin(-0.02, 0.019, 0.02)
    assert not stats.inside_margin(-0.019, 0.02, 0.02)


@pytest.mark.parametrize("margin", [0.0, -0.02, math.nan, math.inf])
def test_a_margin_is_above_0(margin):
    with pytest.raises(StatsError, match="expected a margin between 0 and inf"):
        stats.tost([1.0, 2.0], [1.0, 2.5], margin)
    with pytest.raises(StatsError, match="expected a margin"):
        stats.inside_margin(-0.01, 0.01, margin)


def test_alpha_is_no_percentage():
    with pytest.raises(StatsError, match=r"expected alpha between 0 and 0\.5, got 5"):
        stats.tost([1.0, 2.0], [1.0, 2.5], 0.02, alpha=5)
