"""Difference of the means of two different sets of samples."""

import math
from dataclasses import dataclass

import numpy as np

from btlib.errors import StatsError
from btlib.ranges import NOT_NEGATIVE, Range
from btlib.stats.checks import Floats, Groups, confident, group_numbers, plain, resampled
from btlib.stats.resampling import bootstrap_weights


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
    from scipy.stats import t

    confident(confidence)
    if not all(n in Range(2) for n in (n_a, n_b)):
        raise StatsError(f"expected at least 2 values on each side, got {n_a} and {n_b}", hint="compare more samples")
    if not all(mean in Range() for mean in (mean_a, mean_b)) or not all(std in NOT_NEGATIVE for std in (std_a, std_b)):
        raise StatsError(
            f"expected finite means and standard deviations from 0, got {mean_a} ± {std_a} and {mean_b} ± {std_b}",
            hint="find the source of NaN, infinity or a negative standard deviation",
        )
    mean_a, std_a, n_a, mean_b, std_b, n_b = plain(mean_a, std_a, n_a, mean_b, std_b, n_b)
    var_a, var_b = std_a**2 / n_a, std_b**2 / n_b
    difference = mean_a - mean_b
    if var_a + var_b == 0:
        return Interval(difference, difference, difference)
    freedom = (var_a + var_b) ** 2 / (var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1))
    half = float(t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(var_a + var_b)
    return Interval(difference, difference - half, difference + half)


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
    a: Floats,
    b: Floats,
    groups_a: Groups,
    groups_b: Groups,
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of mean a − mean b. Complete groups are drawn, for a and b separately.

    Args:
        a: Values of a, float [n].
        b: Values of b, float [m].
        groups_a: Group of each value of a, such as its patient.
        groups_b: Group of each value of b, independent of `groups_a`.
        confidence: Confidence of the interval, between 0 and 1.
        n_resamples: Number of draws, at least 1.
        seed: Seed of the draws.

    Raises:
        StatsError: There is not one group per value, a or b has fewer than two groups, a value is not finite, the
            confidence is not between 0 and 1, there is no draw, or the seed is out of range.
    """
    confident(confidence)
    resampled(n_resamples, seed)
    rng = np.random.default_rng(seed)
    drawn = _means(a, groups_a, n_resamples, rng) - _means(b, groups_b, n_resamples, rng)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(a.mean() - b.mean()), float(low), float(high))


def _means(values: Floats, groups: Groups, n_resamples: int, rng: np.random.Generator) -> Floats:
    group = group_numbers(groups, len(values))
    sums, sizes = np.bincount(group, weights=values), np.bincount(group)
    if len(sizes) < 2:
        raise StatsError(f"expected at least 2 groups, got {len(sizes)}", hint="compare more samples")
    if not np.isfinite(sums).all():
        raise StatsError("some value is not finite", hint="find the source of NaN or infinity")
    return np.concatenate([(w @ sums) / (w @ sizes) for w in bootstrap_weights(rng, len(sizes), n_resamples)])
