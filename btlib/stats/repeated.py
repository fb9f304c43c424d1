"""Test of differences over repeated splits or folds, whose training sets overlap."""

import math

import numpy as np
from numpy.typing import ArrayLike

from btlib.stats.checks import at_least, numbers, without_spread
from btlib.stats.student import TTest, t_test


def corrected_t(differences: ArrayLike, n_train: int, n_test: int) -> TTest:
    """Nadeau and Bengio's corrected resampled t test (doi 10.1023/A:1024068626366).

    The plain t test assumes that the J results are independent and finds too many differences. Here the variance of
    their mean is (1/J + n_test/n_train) times their variance, instead of 1/J times.

    Args:
        differences: Score of a − score of b on each split or fold, float [J], J at least 2.
        n_train: Number of training samples (or patients) of each split.
        n_test: Number of test samples (or patients) of each split.

    Returns:
        The test with J − 1 degrees of freedom; its `interval` uses the corrected variance too.

    Raises:
        StatsError: Fewer than two splits, a size below 1, values that are not finite, or all differences are the same
            number other than 0.
    """
    values = numbers(differences, "differences")
    at_least(2, len(values), "splits")
    at_least(1, n_train, "training samples")
    at_least(1, n_test, "test samples")
    only = without_spread(values, float(np.abs(values).max()))
    if only is not None:
        return t_test(only, 0.0, len(values) - 1)
    variance = float(values.var(ddof=1)) * (1 / len(values) + n_test / n_train)
    return t_test(float(values.mean()), math.sqrt(variance), len(values) - 1)
