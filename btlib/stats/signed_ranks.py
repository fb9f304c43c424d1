"""Wilcoxon's signed-rank test: compares the distribution of the differences, not their mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.stats.checks import same_samples


@dataclass(frozen=True)
class SignedRanks:
    """Result of Wilcoxon's signed-rank test.

    Attributes:
        statistic: The smaller of the two sums of ranks.
        p: Two-sided p.
        n: Number of samples.
        n_equal: Number of samples without a difference.
    """

    statistic: float
    p: float
    n: int
    n_equal: int


def wilcoxon(a: ArrayLike, b: ArrayLike) -> SignedRanks:
    """Wilcoxon's signed-rank test, as in `scipy.stats.wilcoxon` with Pratt's treatment of zeros.

    Samples without a difference are ranked and then left out of the sums (doi 10.1080/01621459.1959.10501526); they are
    not dropped before ranking. If all differences are 0, p = 1. The test assumes that the samples are independent
    (doi 10.2307/3001968).

    Args:
        a: One value of a per sample, float [n], n at least 2.
        b: One value of b per sample, float [n].

    Raises:
        StatsError: As `same_samples`.
    """
    from scipy import stats

    first, second = same_samples(a, b)
    differences = first - second
    n_equal = len(differences) - int(np.count_nonzero(differences))
    if n_equal == len(differences):
        return SignedRanks(0.0, 1.0, len(differences), n_equal)
    result = stats.wilcoxon(differences, zero_method="pratt")  # pragma: no mutate - SciPy ignores upper and lower case
    return SignedRanks(float(result.statistic), float(result.pvalue), len(differences), n_equal)
