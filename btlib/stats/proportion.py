"""Confidence interval of a share of samples, such as accuracy."""

from dataclasses import dataclass

from btlib.errors import StatsError
from btlib.ranges import Range
from btlib.stats.checks import at_least, confident


@dataclass(frozen=True)
class Proportion:
    """Proportion with its confidence interval.

    Attributes:
        value: Successes / n, 0…1.
        low: Lower bound, 0…1.
        high: Upper bound, 0…1.
    """

    value: float
    low: float
    high: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Proportion:
    """Wilson's interval of a proportion (doi 10.1080/01621459.1927.10502953), as computed by SciPy.

    It assumes that the samples are independent, and is too narrow if patients have several samples.

    Args:
        successes: Number of successes, such as correctly classified samples, 0…n.
        n: Number of samples, at least 1.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        StatsError: `successes` is not an integer in 0…n, or there are no samples.
    """
    from scipy.stats import binomtest

    at_least(1, n, "samples")
    confident(confidence)
    if successes not in Range(0, n, whole=True):
        raise StatsError(f"expected 0 to {n} successes, got {successes}", hint="give a count, not a share")
    bounds = binomtest(int(successes), n).proportion_ci(confidence, method="wilson")
    return Proportion(int(successes) / int(n), float(bounds.low), float(bounds.high))
