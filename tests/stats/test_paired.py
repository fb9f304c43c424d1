import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    base = rng.random(80)
    return base + rng.normal(0.02, 0.1, 80), base


def test_interval_agrees_with_scipys_bootstrap(pair):
    a, b = pair
    ours = stats.paired(a, b)
    theirs = sp.bootstrap((a - b,), np.mean, n_resamples=10_000, method="percentile", rng=1).confidence_interval
    assert ours.difference == pytest.approx((a - b).mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)
    assert (ours.n, ours.n_groups) == (80, 80)


def test_p_agrees_with_scipys_permutation_test(pair):
    a, b = pair
    theirs = sp.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=10_000, rng=1
    )
    assert stats.paired(a, b).p == pytest.approx(theirs.pvalue, abs=0.015)


def test_p_is_exact_in_a_case_that_can_be_counted():
    """Three differences of the same sign: 2 of the 8 sign patterns are as extreme."""
    assert stats.paired([3.0, 2.0, 1.0], [0.0, 0.0, 0.0]).p == pytest.approx(2 / 8, abs=0.02)


def test_whole_patients_are_drawn():
    """Slices of a patient that agree add no information: the interval is that of the patients' means."""
    rng = np.random.default_rng(0)
    by_patient = rng.normal(0, 1, 30)
    many = np.repeat(by_patient, 13)
    groups = np.repeat([f"P{i}" for i in range(30)], 13).tolist()
    grouped = stats.paired(many, np.zeros(390), groups=groups)
    single = stats.paired(by_patient, np.zeros(30))
    naive = stats.paired(many, np.zeros(390))
    assert (grouped.n, grouped.n_groups) == (390, 30)
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.05)
    assert naive.high - naive.low < 0.4 * (grouped.high - grouped.low)


def test_patients_of_unequal_size_weigh_by_their_slices():
    result = stats.paired([1.0, 1.0, 1.0, 5.0], [0.0] * 4, groups=["a", "a", "a", "b"])
    assert result.difference == 2.0
    assert (result.low, result.high) == (1.0, 5.0)


def test_the_same_seed_gives_the_same_result(pair):
    assert stats.paired(*pair, seed=5) == stats.paired(*pair, seed=5)
    assert stats.paired(*pair, seed=5) != stats.paired(*pair, seed=6)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20))
@settings(max_examples=40)
def test_swapping_the_two_turns_the_difference_round(rows):
    a, b = zip(*rows, strict=True)
    one, other = stats.paired(a, b, n_resamples=200), stats.paired(b, a, n_resamples=200)
    assert one.low <= one.difference + 1e-12
    assert one.difference <= one.high + 1e-12
    assert one.difference == pytest.approx(-other.difference, abs=1e-12)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
    assert 0 < one.p <= 1
    assert one.p == other.p


def test_no_difference_at_all_is_certain():
    result = stats.paired([0.5] * 9, [0.5] * 9)
    assert (result.difference, result.low, result.high, result.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("a", "b", "groups", "problem"),
    [
        ([1.0], [0.0], None, "at least 2 slices, got 1"),
        ([1.0, 2.0], [0.0, 0.0], ["x", "x"], "at least 2 patients, got 1"),
        ([1.0, math.nan], [0.0, 0.0], None, "not finite"),
        ([1.0, 2.0], [0.0, math.inf], None, "not finite"),
        ([1.0, 2.0], [0.0], None, "same length"),
        ([1.0, 2.0], [0.0, 0.0], ["x"], "expected 2 groups, got 1"),
        ([1.0, 2.0], [0.0, 0.0], ["x", None], "no group"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, groups, problem):
    with pytest.raises(StatsError, match=problem):
        stats.paired(a, b, groups)


def test_a_percentage_is_no_confidence():
    with pytest.raises(StatsError, match="between 0 and 1, got 95"):
        stats.paired([1.0, 2.0], [0.0, 0.0], confidence=95)
