import math

import numpy as np
import pytest
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError

# Table 6 of Demšar 2006: AUC of C4.5 and three variants (+m, +cf, +m+cf) on 14 data sets. Its ranks were made before
# rounding: "voting" prints 0.975 twice and ranks the third variant above the fourth.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_demsars_example():
    at_5, at_10 = stats.rank_models(DEMSAR), stats.rank_models(DEMSAR, alpha=0.1)
    assert at_5.ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    untied = 12 * 14 / 20 * (np.sum(at_5.ranks**2) - 25)  # as the paper computes it, without the correction for ties
    assert untied == pytest.approx(9.28, abs=5e-3)
    assert (at_5.critical_difference, at_10.critical_difference) == pytest.approx((1.25, 1.12), abs=5e-3)
    assert at_5.together() == [(3, 1, 2, 0)]
    assert at_10.together() == [(3, 1, 2), (2, 0)]  # C4.5 is worse than +m and +m+cf


def test_friedman_agrees_with_scipy():
    ours, theirs = stats.rank_models(DEMSAR), sp.friedmanchisquare(*DEMSAR.T)
    assert (ours.statistic, ours.p, ours.n) == pytest.approx((theirs.statistic, theirs.pvalue, 14))


@pytest.mark.parametrize(
    ("alpha", "k", "q"),
    [(0.05, 3, 2.343), (0.05, 4, 2.569), (0.05, 7, 2.949), (0.05, 10, 3.164), (0.1, 3, 2.052), (0.1, 10, 2.920)],
)
def test_critical_values_of_demsars_table_5(alpha, k, q):
    scores = np.random.default_rng(0).random((6, k))
    result = stats.rank_models(scores, alpha=alpha)
    assert result.critical_difference / math.sqrt(k * (k + 1) / 36) == pytest.approx(q, abs=1e-3)


def test_lower_can_be_better():
    scores = [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]
    assert stats.rank_models(scores).ranks.tolist() == [3, 1.5, 1.5]
    assert stats.rank_models(scores, higher_is_better=False).ranks.tolist() == [1, 2.5, 2.5]


def test_all_alike_is_no_ranking():
    result = stats.rank_models(np.ones((5, 3)))
    assert (result.statistic, result.p, result.ranks.tolist()) == (0, 1, [2, 2, 2])
    assert result.together() == [(0, 1, 2)]


def test_models_far_apart_share_no_bar():
    result = stats.rank_models(np.tile([0.9, 0.5, 0.1], (40, 1)))
    assert result.ranks.tolist() == [1, 2, 3]
    assert result.together() == []


@pytest.mark.parametrize(
    ("scores", "alpha", "problem"),
    [
        ([[1.0, 2.0, 3.0]], 0.05, "at least 2 blocks, got 1"),
        ([[1.0, 2.0], [1.0, 2.0]], 0.05, "at least 3 models, got 2"),
        ([[1.0, 2.0, math.nan], [1.0, 2.0, 3.0]], 0.05, "not finite"),
        ([1.0, 2.0, 3.0], 0.05, "expected 2 axes"),
        ([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], 5, "alpha between 0 and 1, got 5"),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, alpha, problem):
    with pytest.raises(StatsError, match=problem):
        stats.rank_models(scores, alpha=alpha)
