import math

import numpy as np
import pytest
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError


def test_agrees_with_scipys_welch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.2, 40), rng.normal(0.75, 0.3, 90)
    ours = stats.unpaired_mean_difference(a.mean(), a.std(ddof=1), 40, b.mean(), b.std(ddof=1), 90)
    theirs = sp.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert ours.difference == pytest.approx(a.mean() - b.mean())


def test_without_spread_there_is_no_doubt():
    assert stats.unpaired_mean_difference(0.5, 0, 9, 0.25, 0, 9) == stats.Interval(0.25, 0.25, 0.25)


@pytest.mark.parametrize(("std", "n", "problem"), [(math.nan, 9, "not finite"), (0.1, 1, "at least 2 values")])
def test_what_has_no_interval_is_refused(std, n, problem):
    with pytest.raises(StatsError, match=problem):
        stats.unpaired_mean_difference(0.5, std, n, 0.5, 0.1, 9)


def test_a_percentage_is_no_confidence():
    with pytest.raises(StatsError, match="between 0 and 1, got 95"):
        stats.unpaired_mean_difference(0.5, 0.1, 9, 0.5, 0.1, 9, confidence=95)
