"""Trainings and samples as crossed random effects: parity for one training, components by simulation, and bounds."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.regression.linear_model import OLS

from btlib import stats
from btlib.errors import StatsError

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6])
N = len(GROUPS)


def test_one_known_training_each_is_the_cluster_robust_error_of_statsmodels() -> None:
    a, b = RNG.random(N), RNG.random(N) + 0.2 * (GROUPS == 5)
    found = stats.crossed(a, b, GROUPS, between_trainings=stats.Variance(0.0, math.inf))
    model = OLS(a - b, np.ones(N)).fit(cov_type="cluster", cov_kwds={"groups": GROUPS})
    assert found.difference == pytest.approx(model.params[0])
    assert found.error == pytest.approx(model.bse[0])
    assert (found.trainings, found.freedom, found.n_groups) == (0.0, 11, 12)
    low, high = (model.params[0] + scipy_stats.t.ppf(level, 11) * model.bse[0] for level in (0.025, 0.975))
    assert (found.bound(0.025), found.bound(0.975)) == pytest.approx((low, high))


def test_independent_samples_give_students_paired_t() -> None:
    a, b = RNG.random(30), RNG.random(30)
    found = stats.crossed(a, b, between_trainings=stats.Variance(0.0, math.inf))
    theirs = scipy_stats.ttest_rel(a, b, alternative="less")
    assert found.p_above(0.0) == pytest.approx(theirs.pvalue)
    assert found.freedom == theirs.df


def test_the_same_models_on_both_sides_have_no_variance_of_trainings() -> None:
    """Scored again, each training is compared with itself, however much the trainings differ."""
    a = RNG.random((3, N)) + np.array([[0.0], [0.5], [1.0]])
    found = stats.crossed(a + 0.01, a, GROUPS)
    assert found.difference == pytest.approx(0.01)
    assert found.error == pytest.approx(0, abs=1e-12)
    with pytest.raises(StatsError, match="expected the same models on both sides, got 3 and 2"):
        stats.crossed(a, a[:2], GROUPS)


def drawn(rng: np.random.Generator, r: int, patients: np.ndarray, sd: float) -> np.ndarray:
    """Trainings with a standard deviation of `sd`, patients that both sides share, and an interaction of the two."""
    return (
        rng.normal(0, sd, (r, 1))
        + patients[GROUPS]
        + rng.normal(0, 0.05, (r, 12))[:, GROUPS]
        + rng.normal(0, 0.02, (r, N))
    )


@pytest.mark.parametrize(("r", "s"), [(3, 3), (2, 5), (4, 1)])
def test_the_variance_is_that_of_repeated_experiments(r: int, s: int) -> None:
    """The interaction of trainings and patients is counted once, and not both by patients and by trainings."""
    rng = np.random.default_rng(1)
    differences, estimates = [], []
    for _ in range(1500):
        patients = rng.normal(0, 0.3, 12)
        a, b = drawn(rng, r, patients, 0.04), drawn(rng, s, patients, 0.04)
        spread = stats.pooled([a.mean(axis=1), b.mean(axis=1)])
        found = stats.crossed(a, b, GROUPS, between_trainings=spread)
        differences.append(found.difference)
        estimates.append(found.error**2)
    assert np.mean(estimates) == pytest.approx(np.var(differences), rel=0.12)


def test_unchanged_code_that_is_trained_again_is_rarely_called_worse() -> None:
    """Three trainings against three of the thesis's spread, which a bootstrap over samples calls worse in 40 %."""
    rng = np.random.default_rng(2)
    by_both, by_samples = [], []
    for _ in range(600):
        patients = rng.normal(0, 0.3, 12)
        a, b = drawn(rng, 3, patients, 0.1), drawn(rng, 3, patients, 0.1)
        spread = stats.pooled([a.mean(axis=1), b.mean(axis=1)])
        by_both.append(stats.crossed(a, b, GROUPS, between_trainings=spread).p_above(0) < 0.025)
        alone = stats.crossed(a.mean(axis=0), b.mean(axis=0), GROUPS, between_trainings=stats.Variance(0, math.inf))
        by_samples.append(alone.p_above(0) < 0.025)
    assert np.mean(by_both) < 0.045
    assert np.mean(by_samples) > 0.2


def test_each_side_may_have_a_spread_of_its_own() -> None:
    a, b = RNG.random((2, N)), RNG.random((3, N))
    wide, narrow = stats.Variance(4.0, 2), stats.Variance(1.0, 5)
    found = stats.crossed(a, b, GROUPS, between_trainings=(wide, narrow))
    assert found.trainings == pytest.approx(4 / 2 + 1 / 3)
    other = stats.crossed(b, a, GROUPS, between_trainings=(narrow, wide))
    assert (other.difference, other.error) == pytest.approx((-found.difference, found.error))
    assert other.freedom == pytest.approx(found.freedom)
    assert found.freedom < 2 + 5


def test_a_pool_is_weighted_by_its_degrees_of_freedom() -> None:
    first, second = [0.1, 0.4, 0.7], [0.5, 0.9]
    pool = stats.pooled([first, second, [0.3]])
    assert pool is not None
    assert pool.freedom == 3
    assert pool.value == pytest.approx((2 * np.var(first, ddof=1) + np.var(second, ddof=1)) / 3)
    assert stats.pooled([[0.1], [0.2]]) is None
    known, own = stats.Variance(0.01, 4), stats.Variance(0.04, 2)
    both = stats.moderated(own, known)
    assert both is not None
    assert (both.value, both.freedom) == (pytest.approx((4 * 0.01 + 2 * 0.04) / 6), 6)
    assert stats.moderated(None, known) == stats.moderated(known, None) == known
    assert stats.moderated(own, stats.Variance(0.02, math.inf)) == stats.Variance(0.02, math.inf)
    assert stats.moderated(None, None) is None


@pytest.mark.parametrize(("value", "freedom"), [(-0.1, 1), (math.nan, 1), (math.inf, 1), (0.1, 0), (0.1, math.nan)])
def test_a_variance_that_is_none_is_refused(value: float, freedom: float) -> None:
    with pytest.raises(StatsError, match="expected a variance of 0 or more"):
        stats.Variance(value, freedom)


def test_other_samples_too_few_and_wrong_levels_are_refused() -> None:
    spread = stats.Variance(0.0, 3)
    with pytest.raises(StatsError, match="expected the same samples, got 3 and 4"):
        stats.crossed([1, 2, 3], [1, 2, 3, 4], between_trainings=spread)
    with pytest.raises(StatsError, match="at least 2 samples, got 1"):
        stats.crossed([1], [2], between_trainings=spread)
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        stats.crossed([1, 2], [2, 3], ["P", "P"], between_trainings=spread)
    with pytest.raises(StatsError, match="a level between 0 and 1"):
        stats.crossed([1, 2], [2, 5], between_trainings=spread).bound(95)


def test_equal_numbers_are_no_loss_and_a_constant_loss_is_certain() -> None:
    same = stats.crossed([1, 2, 3], [1, 2, 3], between_trainings=stats.Variance(0.0, 3))
    assert (same.error, same.bound(0.025), same.p_above(0)) == (0, 0, 1)
    worse = stats.crossed([0, 1, 2], [1, 2, 3], between_trainings=stats.Variance(0.0, 3))
    assert (worse.error, worse.bound(0.975), worse.p_above(0)) == (0, -1, 0)


@pytest.mark.parametrize(("r", "s"), [(2, 3), (4, 2)])
def test_the_variance_of_patients_is_that_of_obuchowski_and_rockette(r: int, s: int) -> None:
    """Cov2 of each side and Cov3, from the covariance matrix of all trainings' means over patients."""
    a, b = RNG.random((r, N)) + RNG.random(N), RNG.random((s, N)) + RNG.random(N)
    b += 0.5 * a.mean(axis=0)
    rows = np.concatenate([a, b])
    sums = np.stack([[(row - row.mean())[g == GROUPS].sum() / N for g in range(12)] for row in rows])
    covariance = 12 / 11 * sums @ sums.T
    ours, theirs, across = covariance[:r, :r], covariance[r:, r:], covariance[:r, r:]
    cov2 = [(part.sum() - np.trace(part)) / (len(part) * (len(part) - 1)) for part in (ours, theirs)]
    least = [np.trace(part) / len(part) - cov for part, cov in zip((ours, theirs), cov2, strict=True)]
    found = stats.crossed(a, b, GROUPS, between_trainings=(stats.Variance(9.0, 3), stats.Variance(4.0, 2)))
    assert found.samples == pytest.approx(sum(cov2) - 2 * across.mean())
    assert found.trainings == pytest.approx(9 / r + 4 / s)
    bare = stats.crossed(a, b, GROUPS, between_trainings=stats.Variance(0.0, 3))
    assert bare.trainings == pytest.approx(max(least) * (1 / r + 1 / s)), "no less than their interaction shows"


def test_degrees_of_freedom_are_those_of_the_larger_part() -> None:
    """Hillis: the squared total over the sum of the squared parts by their degrees of freedom."""
    flat = np.zeros(N)
    alone = stats.crossed([flat, flat], [flat, flat], GROUPS, between_trainings=(stats.Variance(0.5, 7),) * 2)
    assert (alone.samples, alone.freedom) == (0.0, pytest.approx(7))
    a, b = RNG.random(N), RNG.random(N)
    found = stats.crossed(a, b, GROUPS, between_trainings=stats.Variance(0.001, 5))
    total = found.samples + found.trainings
    assert found.trainings == pytest.approx(0.002)
    assert found.freedom == pytest.approx(total**2 / (found.samples**2 / 11 + found.trainings**2 / 5))
