import numpy as np
import pytest
from scipy import stats as sp

from btlib import stats
from btlib.errors import StatsError


def test_dz_is_t_over_root_n():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, (2, 40))
    assert stats.cohens_dz(a, b) == pytest.approx(sp.ttest_rel(a, b).statistic / np.sqrt(40))


def test_dz_by_hand():
    """Differences 1, 2, 3: mean 2, standard deviation 1."""
    assert stats.cohens_dz([1.0, 2.0, 3.0], [0.0] * 3) == 2
    assert stats.cohens_dz([0.0] * 3, [1.0, 2.0, 3.0]) == -2


def test_no_difference_has_no_effect():
    assert stats.cohens_dz([0.3, 0.4], [0.3, 0.4]) == 0


def test_a_constant_difference_has_no_dz():
    with pytest.raises(StatsError, match=r"all differences are 0\.1: d_z is undefined without spread"):
        stats.cohens_dz([0.3, 0.4, 0.8], [0.2, 0.3, 0.7])
