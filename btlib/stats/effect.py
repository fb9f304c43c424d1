"""How large a difference is, whatever its p."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import confident, same_samples, without_spread
from btlib.stats.discordant import counted


@dataclass(frozen=True)
class OddsRatio:
    """A ratio of odds and its interval.

    Attributes:
        ratio: 0…infinity; 1 is no difference.
        low: Lower bound.
        high: Upper bound; infinity where b is never right alone.
    """

    ratio: float
    low: float
    high: float


def cohens_dz(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's d_z: the mean of a − b in standard deviations (n − 1) of a − b (doi 10.3389/fpsyg.2013.00863).

    Args:
        a: One value a sample, float [n], n at least 2.
        b: The same of the other, float [n].

    Returns:
        Any number; 0 where there is no difference at all.

    Raises:
        StatsError: What `same_samples` refuses, or a constant difference other than 0.
    """
    first, second = same_samples(a, b)
    differences = first - second
    only = without_spread(differences, float(np.abs([first, second]).max()))
    if only is None:
        return float(differences.mean() / differences.std(ddof=1))
    if only != 0:
        hint = "report the difference itself"
        raise StatsError(f"all differences are {only:g}: without spread there is no d_z", hint=hint)
    return 0.0


def rank_biserial(a: ArrayLike, b: ArrayLike) -> float:
    """The matched-pairs rank-biserial correlation, the effect beside Wilcoxon's test (doi 10.2466/11.IT.3.1).

    The share of signed ranks in favour of a less the share in favour of b; samples without a difference are ranked and
    left out of the sums, as in `wilcoxon`.

    Args:
        a: One value a sample, float [n], n at least 2.
        b: The same of the other, float [n].

    Returns:
        −1…1; 0 where all are equal.

    Raises:
        StatsError: What `same_samples` refuses.
    """
    from scipy.stats import rankdata

    first, second = same_samples(a, b)
    ranks = rankdata(np.abs(first - second))
    up, down = ranks[first > second].sum(), ranks[first < second].sum()
    return float((up - down) / (up + down)) if up + down > 0 else 0.0


def matched_odds_ratio(only_a: int, only_b: int, confidence: float = 0.95) -> OddsRatio:
    """The matched-pairs odds ratio of being right, only a / only b, the effect beside McNemar's exact test.

    The interval is the exact (Clopper–Pearson) one of a's share of the disagreements, as odds (doi 10.1002/sim.6148).

    Args:
        only_a: Samples on which only a is right, 0 or more.
        only_b: Samples on which only b is right, 0 or more.
        confidence: Of the interval, between 0 and 1.

    Raises:
        StatsError: No disagreement at all, or a count below 0.
    """
    from scipy.stats import binomtest

    confident(confidence)
    counted(only_a, only_b)
    if only_a + only_b == 0:
        raise StatsError(
            "the two never disagree: there are no odds", hint="report that they are right on the same samples"
        )
    wins, n = int(only_a), int(only_a) + int(only_b)
    bounds = binomtest(wins, n).proportion_ci(confidence, method="exact")
    return OddsRatio(*(_odds(float(share)) for share in (wins / n, bounds.low, bounds.high)))


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf
