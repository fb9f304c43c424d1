"""Power of a comparison: parity with the noncentral t, simulation, and how many seeds or patients are enough."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.power import TTestPower

from btlib import stats
from btlib.errors import StatsError
from btlib.stats import Crossed, Enough

MARGIN, LEVEL, RED = 0.02, 0.025, 0.004


def paired(n: int, sd: float) -> Crossed:
    """Comparison of `n` independent samples whose differences have a standard deviation of `sd`."""
    return Crossed(0.0, sd**2 / n, 0.0, n - 1, n, (1, 1))


def over_trainings(samples: float, trainings: float, freedom: float = 9.0, n_groups: int = 30) -> Crossed:
    """Comparison with these variances, of three trainings with one, with Satterthwaite's degrees of freedom."""
    total = samples + trainings
    terms = samples**2 / (n_groups - 1) + trainings**2 / freedom
    return Crossed(0.0, samples, trainings, total**2 / terms, n_groups, (3, 1))


@pytest.mark.parametrize(("n", "tolerance"), [(20, 0.02), (60, 0.006), (600, 0.0006)])
@pytest.mark.parametrize("sd", [0.03, 0.06, 0.12])
def test_the_power_is_that_of_the_noncentral_t(n: int, tolerance: float, sd: float) -> None:
    """The noncentrality that is neglected is small with many degrees of freedom."""
    found, exact = paired(n, sd), TTestPower()
    for loss in (-0.01, 0.0, 0.015):
        expected = exact.power((MARGIN - loss) / sd, n, LEVEL, alternative="larger")
        assert stats.p_pass(found, MARGIN, LEVEL, loss) == pytest.approx(expected, abs=tolerance)
    narrow = 0.01 * found.error  # so that the red line decides, and not the margin
    for loss in (0.01, 0.03, 0.06):
        expected = exact.power(loss / sd, n, RED, alternative="larger")
        assert stats.p_regressed(found, narrow, RED, loss) == pytest.approx(expected, abs=2 * tolerance)


def test_simulated_comparisons_pass_and_regress_as_often() -> None:
    """Each draw has its own estimate of the standard error, as in the gate."""
    rng = np.random.default_rng(0)
    n, sd = 40, 0.06
    for loss in (0.0, 0.01, 0.05):
        drawn = rng.normal(-loss, sd, (20_000, n))
        mean, error = drawn.mean(axis=1), drawn.std(axis=1, ddof=1) / math.sqrt(n)
        passed = mean - scipy_stats.t.ppf(1 - LEVEL, n - 1) * error > -MARGIN
        red = (mean < -MARGIN) & (scipy_stats.t.cdf(mean / error, n - 1) < RED)
        found = paired(n, sd)
        assert stats.p_pass(found, MARGIN, LEVEL, loss) == pytest.approx(passed.mean(), abs=0.015)
        assert stats.p_regressed(found, MARGIN, RED, loss) == pytest.approx(red.mean(), abs=0.02)


def test_a_known_variance_has_the_power_of_the_normal_distribution() -> None:
    found = replace(paired(50, 0.06), freedom=math.inf)
    z = scipy_stats.norm.ppf(1 - LEVEL)
    expected = scipy_stats.norm.cdf((MARGIN - 0.005) / found.error - z)
    assert stats.p_pass(found, MARGIN, LEVEL, 0.005) == pytest.approx(expected)
    line = max(MARGIN, scipy_stats.norm.ppf(1 - RED) * found.error)
    assert stats.p_regressed(found, MARGIN, RED, 0.03) == pytest.approx(
        scipy_stats.norm.cdf((0.03 - line) / found.error)
    )
    detected = line + scipy_stats.norm.ppf(0.8) * found.error
    assert stats.detectable(found, MARGIN, RED) == pytest.approx(detected)


@pytest.mark.parametrize("error", [0.002, 0.02])
def test_the_detectable_loss_regresses_with_the_wanted_probability(error: float) -> None:
    """Whether the margin or the red line is farther away."""
    found = over_trainings(error**2 / 2, error**2 / 2)
    line = max(MARGIN, -float(scipy_stats.t.ppf(RED, found.freedom)) * error)
    assert (line == MARGIN) == (error == 0.002)
    assert stats.p_regressed(found, MARGIN, RED, line) == pytest.approx(0.5)
    for power in (0.6, 0.8, 0.95):
        loss = stats.detectable(found, MARGIN, RED, power)
        assert loss > line
        assert stats.p_regressed(found, MARGIN, RED, loss) == pytest.approx(power)
    assert stats.detectable(found, MARGIN, RED) == stats.detectable(found, MARGIN, RED, 0.8)


def test_at_a_loss_of_the_margin_a_pass_is_as_likely_as_the_level() -> None:
    found = over_trainings(1e-4, 2e-4)
    for level in (0.025, 0.01):
        assert stats.p_pass(found, MARGIN, level, MARGIN) == pytest.approx(level)


def test_without_any_variance_the_margin_alone_decides() -> None:
    found = paired(30, 0.0)
    for loss, passes, red in ((0.0, 1, 0), (0.0199, 1, 0), (0.02, 0, 0), (0.0201, 0, 1)):
        assert stats.p_pass(found, MARGIN, LEVEL, loss) == passes
        assert stats.p_regressed(found, MARGIN, RED, loss) == red
    assert stats.detectable(found, MARGIN, RED) == MARGIN
    assert stats.enough(found, MARGIN, LEVEL) == Enough(trainings=1, groups=30)


COMPARISONS = st.builds(
    over_trainings,
    samples=st.floats(1e-5, 1e-3),
    trainings=st.floats(1e-5, 1e-3),
    freedom=st.sampled_from([200.0, 1e4]),
    n_groups=st.integers(40, 400),
)


@given(COMPARISONS, st.integers(2, 6), st.floats(0.001, 0.1))
def test_more_seeds_or_patients_find_more(found: Crossed, times: int, margin: float) -> None:
    least = min(found.n_trainings)
    for change in ({"trainings": [least, least * times]}, {"groups": [found.n_groups, found.n_groups * times]}):
        ((name, numbers),) = change.items()
        few, many = (stats.with_numbers(found, **{name: number}) for number in numbers)
        assert many.error < few.error
        assert stats.p_pass(many, margin, LEVEL) >= stats.p_pass(few, margin, LEVEL) - 1e-12
        assert stats.detectable(many, margin, RED) <= stats.detectable(few, margin, RED) + 1e-12


@given(COMPARISONS, st.floats(-0.01, 0.05))
def test_a_larger_loss_passes_less_and_regresses_more(found: Crossed, loss: float) -> None:
    for less, more in pairwise([loss, loss + 0.01, loss + 0.02]):
        assert stats.p_pass(found, MARGIN, LEVEL, more) <= stats.p_pass(found, MARGIN, LEVEL, less)
        assert stats.p_regressed(found, MARGIN, RED, more) >= stats.p_regressed(found, MARGIN, RED, less)
    assert stats.p_pass(found, 2 * MARGIN, LEVEL, 0.03) > stats.p_pass(found, MARGIN, LEVEL, 0.03)
    assert stats.p_pass(found, MARGIN, LEVEL / 3, 0.03) < stats.p_pass(found, MARGIN, LEVEL, 0.03)
    assert stats.detectable(found, MARGIN, RED / 3) >= stats.detectable(found, MARGIN, RED)


@given(COMPARISONS)
def test_the_same_numbers_give_the_same_comparison(found: Crossed) -> None:
    for same in (stats.with_numbers(found), stats.with_numbers(found, groups=found.n_groups)):
        assert (same.samples, same.trainings, same.n_groups) == (found.samples, found.trainings, found.n_groups)
        assert same.freedom == pytest.approx(found.freedom, rel=1e-4)
    equal = replace(found, n_trainings=(2, 2))
    again = stats.with_numbers(equal, trainings=2)
    assert (again.samples, again.trainings) == pytest.approx((equal.samples, equal.trainings))
    assert (again.n_trainings, again.difference) == ((2, 2), found.difference)


@pytest.mark.parametrize("trainings", [2, 3, 5, 20])
def test_other_numbers_of_trainings_are_those_of_the_model(trainings: int) -> None:
    """As if the model itself were computed with so many trainings whose samples agree."""
    rng = np.random.default_rng(1)
    a, b, groups = rng.random(40), rng.random(40), np.arange(40) // 2
    one = stats.crossed(a, b, groups, between_trainings=stats.Variance(0.01, 7))
    found = stats.with_numbers(one, trainings=trainings)
    freedom = max(7, 2 * (trainings - 1))
    many = [np.tile(side, (trainings, 1)) for side in (a, b)]
    assert found.freedom == pytest.approx(
        stats.crossed(*many, groups, between_trainings=stats.Variance(0.01, freedom)).freedom
    )
    assert found.n_trainings == (trainings, trainings)
    assert (found.samples, found.trainings) == pytest.approx((one.samples, 0.01 * 2 / trainings))


def test_other_numbers_by_hand() -> None:
    found = over_trainings(4e-4, 3e-4, freedom=9, n_groups=30)
    seeds = stats.with_numbers(found, trainings=6)
    assert seeds.trainings == pytest.approx(3e-4 * (2 / 6) / (1 / 3 + 1))
    assert (seeds.samples, seeds.n_groups) == (4e-4, 30)
    assert seeds.freedom == pytest.approx((4e-4 + 7.5e-5) ** 2 / (16e-8 / 29 + 7.5e-5**2 / 10))
    people = stats.with_numbers(found, groups=120)
    assert people.samples == pytest.approx(1e-4)
    assert (people.trainings, people.n_groups, people.n_trainings) == (3e-4, 120, (3, 1))
    assert people.freedom == pytest.approx(16e-8 / (1e-8 / 119 + 9e-8 / 9))


@pytest.mark.parametrize("margin", [0.015, 0.02, 0.04])
def test_the_smallest_number_that_is_enough(margin: float) -> None:
    found = over_trainings(1e-4, 2e-4, freedom=200)
    for power in (0.5, 0.8, 0.9):
        more = stats.enough(found, margin, LEVEL, power)
        for name, number, least in (("trainings", more.trainings, 1), ("groups", more.groups, 30)):

            def passes(k: int, name: str = name) -> float:
                return stats.p_pass(stats.with_numbers(found, **{name: k}), margin, LEVEL)

            if number is None:
                assert passes(10**6) < power
                continue
            assert passes(number) >= power
            assert number == least or passes(number - 1) < power
            assert number == next(k for k in range(least, number + 1) if passes(k) >= power)
    assert stats.enough(found, margin, LEVEL) == stats.enough(found, margin, LEVEL, 0.8)


def test_where_only_one_of_the_two_helps() -> None:
    by_seeds = stats.enough(over_trainings(1e-7, 4e-3, freedom=1e9), MARGIN, LEVEL)
    assert by_seeds.groups is None
    assert by_seeds.trainings is not None
    assert by_seeds.trainings > 3
    by_patients = stats.enough(over_trainings(4e-3, 1e-7, freedom=1e9), MARGIN, LEVEL)
    assert by_patients.trainings is None
    assert by_patients.groups is not None
    assert by_patients.groups > 30
    assert stats.enough(over_trainings(4e-3, 4e-3), MARGIN, LEVEL) == Enough(None, None)


@pytest.mark.parametrize("margin", [0.0, -0.1, math.nan, math.inf])
def test_a_margin_out_of_range_is_refused(margin: float) -> None:
    for found in (paired(9, 0.1), paired(9, 0.0)):
        with pytest.raises(StatsError, match="a margin between 0"):
            stats.p_pass(found, margin, LEVEL)
        with pytest.raises(StatsError, match="a margin between 0"):
            stats.p_regressed(found, margin, RED, 0.1)
        with pytest.raises(StatsError, match="a margin between 0"):
            stats.detectable(found, margin, RED)
        with pytest.raises(StatsError, match="a margin between 0"):
            stats.enough(found, margin, LEVEL)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 2.5, math.nan])
def test_a_level_out_of_range_is_refused(level: float) -> None:
    for found in (paired(9, 0.1), paired(9, 0.0)):
        with pytest.raises(StatsError, match="between 0 and 1"):
            stats.p_pass(found, MARGIN, level)
        with pytest.raises(StatsError, match="between 0 and 1"):
            stats.p_regressed(found, MARGIN, level, 0.1)
        with pytest.raises(StatsError, match="between 0 and 1"):
            stats.detectable(found, MARGIN, level)
        with pytest.raises(StatsError, match="between 0 and 1"):
            stats.detectable(found, MARGIN, RED, level)
        with pytest.raises(StatsError, match="a power between 0 and 1"):
            stats.enough(found, MARGIN, LEVEL, level)


def test_too_few_are_refused() -> None:
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        stats.with_numbers(paired(9, 0.1), groups=1)
    with pytest.raises(StatsError, match="at least 1 trainings, got 0"):
        stats.with_numbers(paired(9, 0.1), trainings=0)
