"""The difference of two means of different samples."""

import math
from dataclasses import dataclass

import numpy as np

from btlib.errors import StatsError
from btlib.stats.checks import Floats, Groups, confident, group_numbers, plain
from btlib.stats.resampling import bootstrap_weights


@dataclass(frozen=True)
class Interval:
    """A difference and the bounds of its interval."""

    difference: float
    low: float
    high: float


def unpaired_mean_difference(
    mean_a: float, std_a: float, n_a: float, mean_b: float, std_b: float, n_b: float, confidence: float = 0.95
) -> Interval:
    """Welch's interval of mean a − mean b (doi 10.1093/biomet/34.1-2.28).

    Args:
        mean_a: Mean of the one.
        std_a: Its standard deviation (n − 1).
        n_a: Its size, at least 2; an effective size (`design_effect`) need not be whole.
        mean_b: Mean of the other.
        std_b: Its standard deviation.
        n_b: Its size, at least 2.
        confidence: Between 0 and 1.

    Raises:
        StatsError: A size under 2, a number that is not finite, or a confidence that is not between 0 and 1.
    """
    from scipy.stats import t

    confident(confidence)
    if min(n_a, n_b) < 2:
        raise StatsError(f"expected at least 2 values on each side, got {n_a} and {n_b}", hint="compare more samples")
    if not all(map(math.isfinite, (mean_a, std_a, mean_b, std_b))):
        raise StatsError(f"not finite: {mean_a} ± {std_a} and {mean_b} ± {std_b}", hint="look where NaN came from")
    mean_a, std_a, n_a, mean_b, std_b, n_b = plain(mean_a, std_a, n_a, mean_b, std_b, n_b)
    var_a, var_b = std_a**2 / n_a, std_b**2 / n_b
    difference = mean_a - mean_b
    if var_a + var_b == 0:
        return Interval(difference, difference, difference)
    freedom = (var_a + var_b) ** 2 / (var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1))
    half = float(t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(var_a + var_b)
    return Interval(difference, difference - half, difference + half)


def design_effect(values: Floats, groups: Groups) -> float:
    """How many times larger the variance of the mean is than if values were independent (Kish 1965), at least 1.

    The variance is the cluster-robust one of a mean, with g/(g − 1) for few groups.

    Args:
        values: Float [n], n at least 2.
        groups: Group of each value, such as its patient, at least 2.

    Raises:
        StatsError: Fewer than two groups, or a value that is not finite.
    """
    group = group_numbers(groups, len(values))
    if not np.isfinite(values).all():
        raise StatsError("some value is not finite", hint="look where NaN came from")
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
    """Bootstrap interval (percentile) of mean a − mean b, whole groups drawn on each side by itself.

    Args:
        a: Values of the one, float [n].
        b: Values of the other, float [m].
        groups_a: Group of each value, such as its patient.
        groups_b: The same for `b`; the numbers of the two have nothing to do with each other.
        confidence: Between 0 and 1.
        n_resamples: Draws.
        seed: Of the draws.

    Raises:
        StatsError: Not one group a value, fewer than two groups on a side, a value that is not finite, or a confidence
            not between 0 and 1.
    """
    confident(confidence)
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
        raise StatsError("some value is not finite", hint="look where NaN came from")
    return np.concatenate([(w @ sums) / (w @ sizes) for w in bootstrap_weights(rng, len(sizes), n_resamples)])
