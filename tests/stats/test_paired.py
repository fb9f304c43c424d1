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
    low, high = stats.percentile_levels(0.95, 80)
    theirs = sp.bootstrap(
        (a - b,), np.mean, n_resamples=10_000, confidence_level=high - low, method="percentile", rng=1
    ).confidence_interval
    assert ours.difference == pytest.approx((a - b).mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.001)
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
    """Samples of a patient that agree add no information: the interval is that of the patients' means."""
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
    half = sp.t.ppf(0.975, 1) * np.sqrt(2 * 2 * (3 / 4) ** 2)
    assert (result.low, result.high) == pytest.approx((2 - half, 2 + half))


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


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20), st.floats(-5, 5))
@settings(max_examples=40)
def test_a_shift_moves_difference_and_interval(rows, shift):
    a, b = map(np.array, zip(*rows, strict=True))
    here, there = stats.paired(a, b, n_resamples=200), stats.paired(a + shift, b, n_resamples=200)
    moved = (here.difference + shift, here.low + shift, here.high + shift)
    assert (there.difference, there.low, there.high) == pytest.approx(moved, abs=1e-12)


@given(st.permutations(range(24)))
@settings(max_examples=40)
def test_the_order_of_rows_is_of_no_account(order):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.1, 1, (2, 24))
    groups = np.repeat(["x", "zz", "y", "10", "9", "n"], [9, 1, 2, 2, 4, 6])
    one = stats.paired(a, b, groups.tolist(), n_resamples=300)
    other = stats.paired(a[order], b[order], groups[order].tolist(), n_resamples=300)
    assert (one.difference, one.low, one.high) == pytest.approx((other.difference, other.low, other.high), abs=1e-12)
    assert (one.p, one.n_groups) == (other.p, 6)


def test_groups_of_one_slice_each_are_no_groups(pair):
    assert stats.paired(*pair, groups=[f"{i:02d}" for i in range(80)]) == stats.paired(*pair)


def test_groups_of_one_slice_in_any_order_are_no_groups_but_for_chance(pair):
    named, single = stats.paired(*pair, groups=[79 - i for i in range(80)]), stats.paired(*pair)
    assert named != single
    assert (named.low, named.high, named.p) == pytest.approx((single.low, single.high, single.p), abs=0.02)


def test_whole_patients_agree_with_a_plain_loop():
    """Written independently: draw patients by name and take the mean of all their samples."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 30, 15)
    groups = np.repeat(np.arange(15), sizes)
    values = rng.normal(0.3, 1, 15)[groups] + rng.normal(0, 0.5, len(groups))
    slices = [values[groups == patient] for patient in range(15)]
    means = [np.concatenate([slices[i] for i in rng.integers(0, 15, 15)]).mean() for _ in range(5000)]
    signs = rng.choice([-1, 1], (5000, 15))
    flipped = np.array([np.mean(np.concatenate([s * x for s, x in zip(row, slices, strict=True)])) for row in signs])
    ours = stats.paired(values, np.zeros(len(values)), groups.tolist())
    loop = np.quantile(means, stats.percentile_levels(0.95, 15))
    assert (ours.low, ours.high) == pytest.approx(loop, abs=0.08)
    assert ours.p == pytest.approx(np.mean(np.abs(flipped) >= abs(values.mean())), abs=0.03)


def test_levels_are_students_and_widen_as_patients_get_fewer():
    low, high = stats.percentile_levels(0.95, 47)
    assert sp.norm.ppf(high) == pytest.approx(sp.t.ppf(0.975, 46) * np.sqrt(47 / 46))
    assert low == pytest.approx(1 - high)
    assert stats.percentile_levels(0.95, 100_000) == pytest.approx((0.025, 0.975), abs=1e-5)
    lows = [stats.percentile_levels(0.95, g)[0] for g in (2, 3, 10, 47, 612)]
    assert lows == sorted(lows)


def test_two_patients_say_little():
    """One degree of freedom: the interval is 12.7 standard errors wide on each side."""
    result = stats.paired([1.0, 1.0, 3.0, 3.0], [0.0] * 4, groups=["a", "a", "b", "b"])
    half = sp.t.ppf(0.975, 1)
    expected = (2, pytest.approx(2 - half), pytest.approx(2 + half), 2)
    assert (result.difference, result.low, result.high, result.n_groups) == expected
    assert result.p == pytest.approx(2 / 4, abs=0.02)


@pytest.mark.parametrize("n", [2, 3, 19])
def test_few_samples_give_students_interval(n):
    a, b = np.random.default_rng(n).random((2, n))
    result = stats.paired(a, b, confidence=0.9)
    theirs = sp.ttest_rel(a, b).confidence_interval(0.9)
    assert (result.low, result.high, result.n) == (pytest.approx(theirs.low), pytest.approx(theirs.high), n)


def test_equal_and_opposite_differences_are_no_difference():
    """Every flip is as extreme as an observed 0, also where rounding leaves a little of it."""
    assert stats.paired([0.1, 0.2, 0.3], [0.2, 0.3, 0.1]).p == 1


def test_a_constant_difference_has_no_width():
    result = stats.paired([0.3, 0.6, 0.9] * 9, [0.2, 0.5, 0.8] * 9, groups=["a", "b", "c"] * 9)
    assert result.difference == pytest.approx(0.1)
    assert result.high - result.low < 1e-15
    exact = stats.paired([0.1] * 13, [0.0] * 13, n_resamples=5000)
    assert (exact.difference, exact.low, exact.high) == (0.1, 0.1, 0.1)
    assert exact.p < 0.002


def test_p_is_never_0():
    """The observed signs are one of the patterns: 1 in 100 here, as no random one is as extreme."""
    assert stats.paired(np.arange(1.0, 41.0), np.zeros(40), n_resamples=99).p == 0.01


def test_a_lower_confidence_is_narrower(pair):
    narrow, wide = stats.paired(*pair, confidence=0.9), stats.paired(*pair)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_no_difference_at_all_is_certain():
    result = stats.paired([0.5] * 9, [0.5] * 9)
    assert (result.difference, result.low, result.high, result.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("a", "b", "groups", "problem"),
    [
        ([1.0], [0.0], None, "at least 2 samples, got 1"),
        ([1.0, 2.0], [0.0, 0.0], ["x", "x"], "at least 2 groups, got 1"),
        ([1.0, math.nan], [0.0, 0.0], None, "not finite"),
        ([1.0, 2.0], [0.0, math.inf], None, "not finite"),
        ([1.0, 2.0], [0.0], None, "same length"),
        ([1.0, 2.0], [0.0, 0.0], ["x"], "expected 2 groups, got 1"),
        ([1.0, 2.0], [0.0, 0.0], ["x", None], "no group"),
        ([1.0, 2.0], [0.0, 0.0], ["x", math.nan], "no group"),
        (["high", "low"], [0.0, 0.0], None, "expected numbers"),
        ([[1.0, 2.0]], [[0.0, 0.0]], None, "same length"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, groups, problem):
    with pytest.raises(StatsError, match=problem):
        stats.paired(a, b, groups)


def test_a_percentage_is_no_confidence():
    with pytest.raises(StatsError, match="between 0 and 1, got 95"):
        stats.paired([1.0, 2.0], [0.0, 0.0], confidence=95)


def test_no_resamples_are_too_few():
    with pytest.raises(StatsError, match="at least 1 resamples, got 0"):
        stats.paired([1.0, 2.0], [0.0, 0.0], n_resamples=0)
