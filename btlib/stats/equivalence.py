"""Equivalence of two models: a test that shows that the difference is small, not only that none was found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.stats.checks import between, plain, same_samples, without_spread
from btlib.stats.student import paired_t


@dataclass(frozen=True)
class Equivalence:
    """Result of two one-sided tests.

    Attributes:
        difference: Mean of a − b.
        low: Lower bound of its 1 − 2α interval (90 % for α = 0.05).
        high: Upper bound of that interval.
        margin: Largest difference that does not matter.
        p: The larger of the two one-sided p.
        equivalent: Whether p < α: the interval lies inside the margin.
    """

    difference: float
    low: float
    high: float
    margin: float
    p: float
    equivalent: bool


def tost(a: ArrayLike, b: ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided paired t tests, as in `statsmodels.stats.weightstats.ttost_paired`.

    They assume that the samples are independent (doi 10.1007/BF01068419). If patients are known, compare the 90 %
    interval of `paired(a, b, groups, confidence=0.9)` with the margin by `inside_margin`. If all differences are equal,
    p is 0 inside the margin, else 1.

    Args:
        a: One value of a per sample, float [n], n at least 2.
        b: One value of b per sample, float [n].
        margin: Largest difference that does not matter, above 0, in the unit of the values.
        alpha: Significance level of each of the two tests, between 0 and 0.5.

    Raises:
        StatsError: As `same_samples`, or the margin or alpha is out of range.
    """
    from statsmodels.stats.weightstats import ttost_paired

    first, second = same_samples(a, b)
    margin, alpha = plain(margin, alpha)
    between(0, margin, float("inf"), "a margin", "0.02 is usual for Dice")
    between(0, alpha, 0.5, "alpha", "0.05 is usual")
    differences = first - second
    only = without_spread(differences, float(np.abs([first, second]).max()))
    if only is not None:
        return Equivalence(only, only, only, margin, float(abs(only) >= margin), abs(only) < margin)
    bounds = paired_t(first, second).interval(1 - 2 * alpha)
    p = float(ttost_paired(first, second, -margin, margin)[0])
    return Equivalence(bounds.difference, bounds.low, bounds.high, margin, p, p < alpha)


def inside_margin(low: float, high: float, margin: float) -> bool:
    """Whether an interval lies completely inside ± margin. For a 90 % interval this is equivalence at α = 0.05.

    Args:
        low: Lower bound.
        high: Upper bound.
        margin: Largest difference that does not matter, above 0.

    Raises:
        StatsError: The margin is not above 0.
    """
    low, high, margin = plain(low, high, margin)
    between(0, margin, float("inf"), "a margin", "0.02 is usual for Dice")
    return -margin < low and high < margin
