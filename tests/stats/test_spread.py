"""Variance between trainings: pooled over folds by hand, and the interaction of trainings and patients by ANOVA."""

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from btlib import stats
from btlib.errors import StatsError

RNG = np.random.default_rng(3)
FOLDS = ["a"] * 6 + ["b"] * 3 + ["c"] * 1 + ["b"] * 2
VALUES = RNG.random((4, 12))


def test_one_training_has_no_variance() -> None:
    for folds in (None, FOLDS):
        assert stats.between_seeds(VALUES[:1], folds) is None


def test_one_split_is_the_variance_of_the_means() -> None:
    found = stats.between_seeds(VALUES)
    assert found is not None
    assert (found.value, found.freedom) == (pytest.approx(VALUES.mean(axis=1).var(ddof=1)), 3)
    assert found == stats.pooled([VALUES.mean(axis=1)])
    single = stats.between_seeds(VALUES, ["a"] * 12)
    assert single is not None
    assert (single.value, single.freedom) == pytest.approx((found.value, found.freedom))


def test_folds_are_weighted_by_the_square_of_their_share() -> None:
    """Three folds of 6, 5 and 1 samples, of which one does not stand together."""
    parts = [
        (6 / 12) ** 2 * VALUES[:, :6].mean(axis=1).var(ddof=1),
        (5 / 12) ** 2 * VALUES[:, [6, 7, 8, 10, 11]].mean(axis=1).var(ddof=1),
        (1 / 12) ** 2 * VALUES[:, 9].var(ddof=1),
    ]
    found = stats.between_seeds(VALUES, FOLDS)
    assert found is not None
    assert found.value == pytest.approx(sum(parts))
    assert found.freedom == pytest.approx(sum(parts) ** 2 / sum(part**2 / 3 for part in parts))
    order = RNG.permutation(12)
    turned = stats.between_seeds(VALUES[:, order], [FOLDS[i] for i in order])
    assert turned is not None
    assert (turned.value, turned.freedom) == pytest.approx((found.value, found.freedom))


def test_the_variance_is_that_of_repeated_cross_validations() -> None:
    """Each fold has a training of its own, so their errors partly cancel in the mean over all samples."""
    rng = np.random.default_rng(0)
    of = np.repeat([0, 1, 2], [10, 6, 4])
    trained = rng.normal(0, [0.1, 0.3, 0.2], (4000, 3, 3))[:, :, of]
    means = trained.mean(axis=2)
    estimates = [stats.between_seeds(one, of) for one in trained]
    assert np.mean([one.value for one in estimates if one]) == pytest.approx(means.var(ddof=1), rel=0.05)


def test_trainings_that_agree_have_no_variance() -> None:
    same = np.tile(VALUES[0], (4, 1))
    for folds in (None, FOLDS):
        found = stats.between_seeds(same, folds)
        assert found is not None
        assert found.value == pytest.approx(0, abs=1e-30)
        assert 0 < found.freedom <= 9
    exact = stats.between_seeds(np.ones((4, 12)), FOLDS)
    assert exact == stats.Variance(0.0, 3.0)


def test_the_share_of_folds_by_hand() -> None:
    assert stats.share_of_folds([7]) == 1
    assert stats.share_of_folds([6, 5, 1]) == pytest.approx((36 + 25 + 1) / 144)
    assert stats.share_of_folds([3] * 5) == pytest.approx(1 / 5)


@pytest.mark.parametrize("sizes", [[], [0], [3, 0], [3, -1]])
def test_folds_without_samples_are_refused(sizes: list[int]) -> None:
    with pytest.raises(StatsError, match="expected the sizes of the folds, each at least 1"):
        stats.share_of_folds(sizes)


def test_the_interaction_is_the_residual_of_a_two_way_anova() -> None:
    """For independent samples: the mean square of trainings × samples, divided by the number of samples."""
    rows = [{"y": VALUES[i, j], "t": i, "s": j} for i in range(4) for j in range(12)]
    table = anova_lm(ols("y ~ C(t) + C(s)", pd.DataFrame(rows)).fit())
    residual = table.loc["Residual", "sum_sq"] / table.loc["Residual", "df"]
    assert stats.interaction(VALUES) == pytest.approx(residual / 12)
    shifted = VALUES[0] + np.arange(4)[:, None]
    assert stats.interaction(shifted) == pytest.approx(0, abs=1e-20), "trainings that differ alike for all patients"


def test_patients_are_the_unit_of_the_interaction() -> None:
    """Equal patients of two equal samples count once."""
    doubled = np.repeat(VALUES, 2, axis=1)
    assert stats.interaction(doubled, np.repeat(np.arange(12), 2)) == pytest.approx(stats.interaction(VALUES))
    assert stats.interaction(doubled) < 0.6 * stats.interaction(VALUES)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_none_are_refused(bad: float) -> None:
    values = VALUES.copy()
    values[1, 3] = bad
    for call in (lambda: stats.between_seeds(values), lambda: stats.between_seeds(values, FOLDS)):
        with pytest.raises(StatsError, match="1 values are not finite"):
            call()
    with pytest.raises(StatsError, match="1 values are not finite"):
        stats.interaction(values)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(StatsError, match="expected 12 groups, got 11"):
        stats.between_seeds(VALUES, FOLDS[:-1])
    with pytest.raises(StatsError, match="expected 2 axes"):
        stats.between_seeds(VALUES[0])
    with pytest.raises(StatsError, match="at least 2 trainings, got 1"):
        stats.interaction(VALUES[:1])
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        stats.interaction(VALUES, ["P"] * 12)
