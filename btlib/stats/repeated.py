"""Differences over repeated splits or folds, whose training sets overlap."""

import math

import numpy as np
from numpy.typing import ArrayLike

from btlib.stats.checks import at_least, numbers, without_spread
from btlib.stats.student import TTest, t_test


def corrected_t(differences: ArrayLike, n_train: int, n_test: int) -> TTest:
    """Nadeau and Bengio's corrected resampled t test (doi 10.1023/A:1024068626366).

    The plain t test takes the J results as independent and finds differences that are none. Their variance is counted
    (1/J + n_test/n_train) times in place of 1/J.

    Args:
        differences: Score of a − score of b on each split or fold, float [J], J at least 2.
        n_train: Samples (or patients) trained on in each.
        n_test: Samples (or patients) tested on in each.

    Returns:
        The test with J − 1 degrees of freedom; its `interval` is corrected too.

    Raises:
        StatsError: Fewer than two splits, sizes below 1, values not finite, or a constant difference other than 0.
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
