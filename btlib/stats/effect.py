"""Effect sizes: how large a difference is, independent of its p."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import confident, same_samples, without_spread
from btlib.stats.discordant import counted


@dataclass(frozen=True)
class OddsRatio:
    """Odds ratio with its confidence interval.

    Attributes:
        ratio: Odds ratio, 0…infinity; 1 means no difference.
        low: Lower bound.
        high: Upper bound; infinity if b is never the only one that is right.
    """

    ratio: float
    low: float
    high: float


def cohens_dz(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's d_z: the mean of a − b divided by its standard deviation (n − 1) (doi 10.3389/fpsyg.2013.00863).

    Args:
        a: One value of a per sample, float [n], n at least 2.
        b: One value of b per sample, float [n].

    Returns:
        Any finite number; 0 if all differences are 0.

    Raises:
        StatsError: As `same_samples`, or all differences are the same number other than 0.
    """
    first, second = same_samples(a, b)
    differences = first - second
    only = without_spread(differences, float(np.abs([first, second]).max()))
    if only is None:
        return float(differences.mean() / differences.std(ddof=1))
    if only != 0:
        hint = "report the difference itself"
        raise StatsError(f"all differences are {only:g}: d_z is undefined without spread", hint=hint)
    return 0.0


def rank_biserial(a: ArrayLike, b: ArrayLike) -> float:
    """Matched-pairs rank-biserial correlation, the effect size for Wilcoxon's test (doi 10.2466/11.IT.3.1).

    It is the share of signed ranks in favour of a minus the share in favour of b. Samples without a difference are
    ranked but not summed, as in `wilcoxon`.

    Args:
        a: One value of a per sample, float [n], n at least 2.
        b: One value of b per sample, float [n].

    Returns:
        −1…1; 0 if all differences are 0.

    Raises:
        StatsError: As `same_samples`.
    """
    from scipy.stats import rankdata

    first, second = same_samples(a, b)
    ranks = rankdata(np.abs(first - second))
    up, down = ranks[first > second].sum(), ranks[first < second].sum()
    return float((up - down) / (up + down)) if up + down > 0 else 0.0


def matched_odds_ratio(only_a: int, only_b: int, confidence: float = 0.95) -> OddsRatio:
    """Matched-pairs odds ratio of being right, only_a / only_b, the effect size for McNemar's exact test.

    The interval is the exact (Clopper–Pearson) interval of a's share of the disagreements, converted to odds
    (doi 10.1002/sim.6148).

    Args:
        only_a: Number of samples on which only a is right, 0 or more.
        only_b: Number of samples on which only b is right, 0 or more.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        StatsError: The two never disagree, or a count is below 0 or not an integer.
    """
    from scipy.stats import binomtest

    confident(confidence)
    counted(only_a, only_b)
    if only_a + only_b == 0:
        raise StatsError(
            "the two never disagree: the odds ratio is undefined",
            hint="report that they are right on the same samples",
        )
    wins, n = int(only_a), int(only_a) + int(only_b)
    bounds = binomtest(wins, n).proportion_ci(confidence, method="exact")
    return OddsRatio(*(_odds(float(share)) for share in (wins / n, bounds.low, bounds.high)))


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf
