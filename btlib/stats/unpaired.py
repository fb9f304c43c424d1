"""Difference of the means of two different sets of samples."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.ranges import NOT_NEGATIVE, Range
from btlib.stats.checks import Floats, Groups, at_least, confident, group_numbers, numbers, plain
from btlib.stats.clusters import cluster_variance, students_reach


@dataclass(frozen=True)
class Interval:
    """Difference with the bounds of its confidence interval."""

    difference: float
    low: float
    high: float


def unpaired_mean_difference(
    mean_a: float, std_a: float, n_a: float, mean_b: float, std_b: float, n_b: float, confidence: float = 0.95
) -> Interval:
    """Welch's interval of mean a − mean b (doi 10.1093/biomet/34.1-2.28).

    Args:
        mean_a: Mean of a.
        std_a: Standard deviation of a (n − 1), at least 0.
        n_a: Size of a, at least 2; an effective size (see `design_effect`) need not be an integer.
        mean_b: Mean of b.
        std_b: Standard deviation of b (n − 1), at least 0.
        n_b: Size of b, at least 2.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        StatsError: A size is below 2, a standard deviation is below 0, a number is not finite, or the confidence is not
            between 0 and 1.
    """
    confident(confidence)
    if not all(n in Range(2) for n in (n_a, n_b)):
        raise StatsError(f"expected at least 2 values on each side, got {n_a} and {n_b}", hint="compare more samples")
    if not all(mean in Range() for mean in (mean_a, mean_b)) or not all(std in NOT_NEGATIVE for std in (std_a, std_b)):
        raise StatsError(
            f"expected finite means and standard deviations from 0, got {mean_a} ± {std_a} and {mean_b} ± {std_b}",
            hint="find the source of NaN, infinity or a negative standard deviation",
        )
    mean_a, std_a, n_a, mean_b, std_b, n_b = plain(mean_a, std_a, n_a, mean_b, std_b, n_b)
    sides = ((std_a**2 / n_a, n_a - 1), (std_b**2 / n_b, n_b - 1))
    return _welch(mean_a - mean_b, *sides, confidence)


def design_effect(values: Floats, groups: Groups) -> float:
    """Factor by which the variance of the mean exceeds that of independent values (Kish 1965), at least 1.

    The variance is the cluster-robust variance of a mean, with the factor g/(g − 1) for a small number g of groups.

    Args:
        values: Values, float [n], n at least 2.
        groups: Group of each value, such as its patient; at least 2 different groups.

    Raises:
        StatsError: There are fewer than two groups, or a value is not finite.
    """
    group = group_numbers(groups, len(values))
    if not np.isfinite(values).all():
        raise StatsError("some value is not finite", hint="find the source of NaN or infinity")
    sums = np.bincount(group, weights=values - values.mean())
    if len(sums) < 2:
        raise StatsError(f"expected at least 2 groups, got {len(sums)}", hint="compare more samples")
    independent = float(values.var(ddof=1)) * len(values)
    clustered = float((sums**2).sum()) * len(sums) / (len(sums) - 1)
    return max(1.0, clustered / independent) if independent > 0 else 1.0


def unpaired(
    a: ArrayLike,
    b: ArrayLike,
    groups_a: Groups | None = None,
    groups_b: Groups | None = None,
    *,
    confidence: float = 0.95,
) -> Interval:
    """Welch's interval of mean a − mean b, for samples that come in clusters.

    The variance of each mean is cluster-robust (doi 10.2307/2533958), with one degree of freedom less than there are
    clusters. Both are combined as Welch and Satterthwaite do (doi 10.2307/3002019). Without groups this is Welch's t.

    Args:
        a: Values of a, float [n].
        b: Values of b, float [m].
        groups_a: Group of each value of a, such as its patient; None treats the values as independent.
        groups_b: Group of each value of b, which is independent of `groups_a`.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        StatsError: Values are not finite numbers, there is not one group per value, a or b has fewer than two values
            or groups, or the confidence is not between 0 and 1.
    """
    confident(confidence)
    mean_a, var_a, freedom_a = _clustered_mean(a, groups_a, "a")
    mean_b, var_b, freedom_b = _clustered_mean(b, groups_b, "b")
    return _welch(mean_a - mean_b, (var_a, freedom_a), (var_b, freedom_b), confidence)


def _clustered_mean(given: ArrayLike, groups: Groups | None, what: str) -> tuple[float, float, int]:
    """Return the mean, its variance, and the degrees of freedom of the variance."""
    values = numbers(given, what)
    at_least(2, len(values), "samples")
    of = np.arange(len(values)) if groups is None else group_numbers(groups, len(values))
    n_groups = int(of.max()) + 1
    at_least(2, n_groups, "groups")
    rest = values - values[0]  # equal values leave exact zeros
    return float(values.mean()), cluster_variance(rest, of, n_groups), n_groups - 1


def _welch(difference: float, one: tuple[float, float], other: tuple[float, float], confidence: float) -> Interval:
    """Return the interval of a difference of two means, given their variances and degrees of freedom."""
    total = one[0] + other[0]
    if total == 0:
        return Interval(difference, difference, difference)
    freedom = total**2 / (one[0] ** 2 / one[1] + other[0] ** 2 / other[1])
    half = students_reach(confidence, freedom) * math.sqrt(total)
    return Interval(difference, difference - half, difference + half)
