import math

import numpy as np
import pytest
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError

DIFFERENCES = [0.01, 0.03, -0.005, 0.02, 0.025]


def test_is_the_plain_t_with_a_larger_variance():
    """Five folds: 1/5 + 1/4 in place of 1/5, so the error is 1.5 times as large."""
    ours, plain = stats.corrected_t(DIFFERENCES, n_train=400, n_test=100), sp.ttest_1samp(DIFFERENCES, 0)
    assert ours.statistic == pytest.approx(plain.statistic / 1.5)
    assert ours.error == pytest.approx(1.5 * np.std(DIFFERENCES, ddof=1) / np.sqrt(5))
    assert ours.p == pytest.approx(2 * sp.t.sf(plain.statistic / 1.5, 4))
    assert (ours.difference, ours.freedom) == (pytest.approx(0.016), 4)


def test_more_testing_than_training_is_less_sure():
    few = stats.corrected_t(DIFFERENCES, n_train=100, n_test=400).interval()
    many = stats.corrected_t(DIFFERENCES, n_train=400, n_test=100).interval()
    assert few.low < many.low < many.high < few.high


def test_no_difference_on_any_split():
    assert stats.corrected_t([0.0] * 4, 4, 1) == stats.TTest(0, 0, 0, 3, 1)


@pytest.mark.parametrize(
    ("differences", "n_train", "n_test", "problem"),
    [
        ([0.1], 4, 1, "at least 2 splits, got 1"),
        ([], 4, 1, "at least 2 splits, got 0"),
        ([0.1, math.nan], 4, 1, "not finite"),
        ([0.1, 0.2], 0, 1, "at least 1 training samples, got 0"),
        ([0.1, 0.2], 4, 0, "at least 1 test samples, got 0"),
        ([0.1, 0.1, 0.1], 4, 1, "without spread"),
    ],
)
def test_what_has_no_t_is_refused(differences, n_train, n_test, problem):
    with pytest.raises(StatsError, match=problem):
        stats.corrected_t(differences, n_train, n_test)
