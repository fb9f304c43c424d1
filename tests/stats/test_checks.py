"""Where the checks of statistics end: the last value that passes and the first that does not."""

import math
from typing import Any

import numpy as np
import pytest

from btlib import stats
from btlib.data.grouping import patient_groups
from btlib.errors import StatsError
from btlib.stats.checks import at_least, between, group_numbers, numbers, plain, same_samples, without_spread


def test_as_many_as_the_least_are_enough() -> None:
    at_least(2, 2, "samples")
    with pytest.raises(StatsError, match="expected at least 2 samples, got 1\nHint: compare on more samples"):
        at_least(2, 1, "samples")


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_between_is_strict(value: float) -> None:
    between(0, 0.5, 1, "a share", "say it")
    with pytest.raises(StatsError, match=f"expected a share between 0 and 1, got {value}\nHint: say it"):
        between(0, value, 1, "a share", "say it")


def test_numbers_are_float64_of_the_axes_asked_for() -> None:
    found = numbers([True, 2, 0.5], "x")
    assert found.dtype == np.float64
    assert found.tolist() == [1, 2, 0.5]
    assert numbers([[1, 2]], "x", ndim=2).shape == (1, 2)
    for values, ndim, hint in (([[1.0]], 1, "one number per sample"), ([1.0], 2, "one row per comparison or block")):
        with pytest.raises(StatsError, match=f"x: expected {ndim} axes, got shape .*\n.*give {hint}"):
            numbers(values, "x", ndim=ndim)
    with pytest.raises(StatsError, match="x: 2 values are not finite"):
        numbers([1.0, math.nan, math.inf], "x")


def test_two_lists_are_told_apart_by_name_and_keep_their_order() -> None:
    first, second = same_samples([1, 2], [3, 4])
    assert (first.tolist(), second.tolist()) == ([1, 2], [3, 4])
    for a, b, where in (([1, math.nan], [1, 2], "a"), ([1, 2], [1, math.inf], "b")):
        with pytest.raises(StatsError, match=f"^{where}: 1 values are not finite"):
            same_samples(a, b)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_rounding_is_no_spread_and_more_than_rounding_is(scale: float) -> None:
    """64 times the distance of neighbouring numbers, as large as the values are."""
    rounding = 64 * 2**-52 * scale
    assert without_spread(np.array([0.25, 0.25 + rounding / 2]), scale) == pytest.approx(0.25)
    assert without_spread(np.array([0.0, rounding / 2]), scale) == 0
    assert without_spread(np.array([0.0, 2 * rounding]), scale) is None
    assert without_spread(np.array([2 * rounding] * 2), scale) == 2 * rounding
    assert without_spread(np.array([-2 * rounding] * 2), scale) == -2 * rounding
    assert without_spread(np.array([1e-151, 0.0]), 1e-151) == 0  # its square is 0
    assert without_spread(np.array([1e-149, 0.0]), 1e-149) is None


def test_the_scale_is_of_the_larger_of_the_two() -> None:
    """The rounding of 1000.1 − 1000 is not that of 0.1."""
    large = np.array([1000.1, 500.1, 250.1])
    with pytest.raises(StatsError, match="without spread"):
        stats.paired_t(large, large - 0.1)
    with pytest.raises(StatsError, match="without spread"):
        stats.cohens_dz(large - 0.1, large)
    for a, b in ((large - 1000, large), (large, large - 1000)):
        for function in (stats.paired_t, stats.cohens_dz):
            with pytest.raises(StatsError, match="without spread"):
                function(a, b)
        assert stats.tost(a, b, margin=1001).p == 0
    assert not stats.tost(large, large - 0.1, margin=0.05).equivalent
    assert stats.tost(large - 0.1, large, margin=0.2).p == 0


def test_plain_numbers_are_pythons() -> None:
    given: tuple[Any, ...] = (np.float64(0.5), np.int64(3), 2, 0.25)
    found = plain(*given)
    assert found == (0.5, 3, 2, 0.25)
    assert [type(one) for one in found] == [float, int, int, float]


@pytest.mark.parametrize("turn", [1, -1])
def test_a_summary_at_its_bounds(turn: int) -> None:
    """Correlations of ±1 and spreads of 0 are allowed; the standard error is then |s_a ∓ s_b| / √n."""
    found = stats.paired_t_from_summary(0.5, 0.3, 0.25, 0.1, turn, 4)
    assert found.error == pytest.approx((0.3 - turn * 0.1) / 2)
    assert (found.difference, found.freedom) == (0.25, 3)
    assert found.statistic == pytest.approx(0.25 / found.error)
    one_sided = stats.paired_t_from_summary(0.5, 0.0, 0.25, 0.1, 0.0, 2)
    assert (one_sided.error, one_sided.freedom) == pytest.approx((0.1 / math.sqrt(2), 1))


def test_the_correlation_that_a_t_implies_may_be_1() -> None:
    t = stats.paired_t_from_summary(0.75, 0.5, 0.5, 0.25, 1.0, 16).statistic
    assert t == 4
    assert stats.implied_correlation(0.75, 0.5, 0.5, 0.25, 4.0, 16) == 1
    assert stats.implied_correlation(0.5, 0.25, 0.75, 0.5, -4.0, 16) == 1
    assert stats.implied_correlation(0.75, 0.5, 0.0, 0.25, 4.0, 16) == -1
    for spreads in ((0.0, 0.25), (0.5, 0.0)):
        with pytest.raises(StatsError, match="implies no correlation"):
            stats.implied_correlation(0.75, spreads[0], 0.5, spreads[1], 4.0, 16)
    with pytest.raises(StatsError, match="at least 2 samples, got 1"):
        stats.implied_correlation(0.75, 0.5, 0.5, 0.25, 4.0, 1)
    with pytest.raises(StatsError, match=r"implies a correlation of 1\.\d+ and a standard deviation of 0\.2"):
        stats.implied_correlation(0.75, 0.5, 0.5, 0.25, 5.0, 16)


def test_a_t_of_one_degree_and_a_tiny_error() -> None:
    found = stats.t_test(0.5, 0.25, 1)
    assert (found.statistic, found.difference, found.error, found.freedom) == (2, 0.5, 0.25, 1)
    assert found.p == stats.t_test(-0.5, 0.25, 1).p == pytest.approx(1 - 2 * math.atan(2) / math.pi)
    assert stats.t_test(-0.5, 0.25, 1).statistic == -2
    for difference in (0.5, -0.5):
        with pytest.raises(StatsError, match=f"all differences are {difference}: t is undefined without spread"):
            stats.t_test(difference, 0.0, 3)
    for wrong in ((0.5, 0.25, -1), (0.5, 0.25, math.inf), (math.inf, 0.25, 1), (0.5, math.nan, 1)):
        with pytest.raises(StatsError):
            stats.t_test(*wrong)


def test_the_design_effect_of_equal_groups_by_hand() -> None:
    """Two pairs of equal values: sums of deviations ±2, so 2·(4 + 4) over n times the variance 4/3."""
    values, groups = np.array([1.0, 1.0, 3.0, 3.0]), ["P10", "P10", "P9", "P9"]
    assert stats.design_effect(values, groups) == pytest.approx(8 * 2 / (4 * 4 / 3))
    assert stats.design_effect(values / 1000, groups) == stats.design_effect(values, groups)
    assert stats.design_effect(values, ["a", "b", "a", "b"]) == 1  # groups that balance never make it less
    assert stats.design_effect(np.ones(4), groups) == 1
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        stats.design_effect(values, ["a"] * 4)
    for value in (math.inf, -math.inf, math.nan):
        with pytest.raises(StatsError, match="not finite"):
            stats.design_effect(np.array([1.0, 1.0, 3.0, value]), groups)


def test_an_interval_of_unequal_spreads_by_hand() -> None:
    from scipy.stats import t

    found = stats.unpaired_mean_difference(0.8, 0.3, 9, 0.5, 0.4, 16, confidence=0.9)
    a, b = 0.09 / 9, 0.16 / 16
    half = t.ppf(0.95, (a + b) ** 2 / (a**2 / 8 + b**2 / 15)) * math.sqrt(a + b)
    assert (found.difference, found.low, found.high) == pytest.approx((0.3, 0.3 - half, 0.3 + half))
    assert stats.unpaired_mean_difference(0.8, 0.3, 2, 0.5, 0.4, 2).low < 0.3
    for sizes in ((1.9, 2), (2, 1.9)):
        with pytest.raises(StatsError, match=f"at least 2 values on each side, got {sizes[0]} and {sizes[1]}"):
            stats.unpaired_mean_difference(0.8, 0.3, sizes[0], 0.5, 0.4, sizes[1])
    for k in (0, 1, 3, 4):
        given = [0.8, 0.3, 9, 0.5, 0.4, 16]
        given[k] = math.nan
        with pytest.raises(StatsError, match="expected finite means"):
            stats.unpaired_mean_difference(*given)
    assert stats.unpaired_mean_difference(0.8, 0.0, 9, 0.5, 0.4, 16).high > 0.3  # one side without spread


def test_models_that_are_exactly_as_far_apart_differ() -> None:
    ranking = stats.Ranking(np.array([2.0, 1.0, 3.5, 3.0]), 0.0, 1.0, 1.0, 5)
    assert ranking.together() == [(3, 2)]
    wider = stats.Ranking(np.array([2.0, 1.0, 3.5, 3.0]), 0.0, 1.0, 1.25, 5)
    assert wider.together() == [(1, 0), (0, 3), (3, 2)]


def test_turns_of_two_runs_each_and_no_less_than_the_range() -> None:
    """Each ratio is of the sums of its own turn; the interval of six turns leaves none out, of nine one a side."""
    ratios = [3.0, 1.0, 2.0, 6.0, 5.0, 4.0]
    ours = np.array([[1.0, 3.0], [0.5, 0.5], [2.0, 1.0], [1.0, 1.0], [0.1, 0.4], [4.0, 2.0]])
    theirs = np.column_stack([np.array(ratios) * ours.sum(axis=1) * share for share in (0.25, 0.75)])
    found = stats.speedup(ours.ravel(), theirs.ravel())
    assert (found.value, found.low, found.high, found.turns) == pytest.approx((3.5, 1, 6, 6))
    more = [*ratios, 9.0, 8.0, 7.0]
    nine = stats.speedup(np.ones(18), np.repeat(more, 2))
    assert (nine.value, nine.low, nine.high) == (5, 2, 8)
    for late in ([1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, -1.0]):
        with pytest.raises(StatsError, match="above 0"):
            stats.speedup(np.ones(4), late)


def test_shares_and_odds_at_their_ends() -> None:
    assert stats.wilson(0, 1).value == 0
    assert stats.wilson(0, 1).low == 0
    assert stats.wilson(1, 1).high == 1
    for only_a, only_b, ratio in ((0, 6, 0.0), (6, 0, math.inf), (1, 0, math.inf), (6, 3, 2.0)):
        odds = stats.matched_odds_ratio(only_a, only_b)
        assert odds.ratio == pytest.approx(ratio)
        assert odds.low <= odds.ratio <= odds.high
    assert stats.matched_odds_ratio(0, 6).low == 0
    assert stats.matched_odds_ratio(0, 6).high < math.inf


def test_p_of_a_family_may_be_0_or_1() -> None:
    assert stats.holm([0.0, 1.0, 0.5]).tolist() == [0, 1, 1]
    for p in ([-1e-9], [1 + 1e-9]):
        with pytest.raises(StatsError, match="expected p between 0 and 1"):
            stats.holm(p)


def test_splits_are_counted_by_their_sizes() -> None:
    """Variance 1/3 of 0, 0.5, 1 … times (1/J + n_test/n_train)."""
    found = stats.corrected_t([0.0, 0.5, 1.0], n_train=3, n_test=1)
    assert found.error == pytest.approx(math.sqrt(0.25 * (1 / 3 + 1 / 3)))
    assert (found.difference, found.freedom) == (0.5, 2)
    assert stats.corrected_t([0.0, 0.5], n_train=1, n_test=1).error == pytest.approx(math.sqrt(0.125 * 1.5))


@pytest.mark.parametrize("name", ["{}", "P{}", "patient {} (scan 1)"])
def test_equal_groups_give_equal_bounds_whether_named_by_numbers_or_texts(name: str) -> None:
    """Also in the groups of a run, and whatever the order of the samples."""
    rng = np.random.default_rng(0)
    groups = rng.integers(1, 25, 90)
    a, b = rng.random(90) + 0.1 * groups, rng.random(90)
    texts = [name.format(group) for group in groups]
    expected = stats.paired(a, b, groups=groups, n_resamples=500)
    turned = rng.permutation(90)
    for these in (texts, np.array(texts), patient_groups(texts)):
        assert stats.paired(a, b, groups=these, n_resamples=500) == expected
        mixed = [these[k] for k in turned]
        assert group_numbers(mixed, 90).tolist() == group_numbers(these, 90)[turned].tolist()
