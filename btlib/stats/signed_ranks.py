"""Wilcoxon's signed-rank test: the distribution of the differences, not their mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.stats.checks import same_samples


@dataclass(frozen=True)
class SignedRanks:
    """Outcome of Wilcoxon's signed-rank test.

    Attributes:
        statistic: The smaller of the two sums of ranks.
        p: Two-sided p.
        n: Samples.
        n_equal: Samples without a difference.
    """

    statistic: float
    p: float
    n: int
    n_equal: int


def wilcoxon(a: ArrayLike, b: ArrayLike) -> SignedRanks:
    """Wilcoxon's signed-rank test, as `scipy.stats.wilcoxon` does it with Pratt's treatment of zeros.

    Samples without a difference are ranked and then left out of the sums (doi 10.1080/01621459.1959.10501526), not
    dropped beforehand. Where all are equal, p = 1. Samples are taken as independent (doi 10.2307/3001968).

    Args:
        a: One value a sample, float [n], n at least 2.
        b: The same of the other, float [n].

    Raises:
        StatsError: What `same_samples` refuses.
    """
    from scipy import stats

    first, second = same_samples(a, b)
    differences = first - second
    n_equal = len(differences) - int(np.count_nonzero(differences))
    if n_equal == len(differences):
        return SignedRanks(0.0, 1.0, len(differences), n_equal)
    result = stats.wilcoxon(differences, zero_method="pratt")  # pragma: no mutate - SciPy takes any case of letters
    return SignedRanks(float(result.statistic), float(result.pvalue), len(differences), n_equal)
