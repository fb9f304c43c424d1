"""A share of samples, such as accuracy, and how sure it is."""

from dataclasses import dataclass

from btlib.errors import StatsError
from btlib.stats.checks import at_least, confident


@dataclass(frozen=True)
class Proportion:
    """A share and its interval.

    Attributes:
        value: Successes / n, 0…1.
        low: Lower bound, 0…1.
        high: Upper bound, 0…1.
    """

    value: float
    low: float
    high: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Proportion:
    """Wilson's interval of a proportion (doi 10.1080/01621459.1927.10502953), as scipy computes it.

    Trials are taken as independent: of samples, it is too narrow where patients give several.

    Args:
        successes: Such as samples classified rightly, 0…n.
        n: Samples, at least 1.
        confidence: Between 0 and 1.

    Raises:
        StatsError: Counts that are not whole or do not fit each other, or no samples.
    """
    from scipy.stats import binomtest

    at_least(1, n, "samples")
    confident(confidence)
    if not (0 <= successes <= n and successes % 1 == 0):
        raise StatsError(f"expected 0 to {n} successes, got {successes}", hint="give a count, not a share")
    bounds = binomtest(int(successes), n).proportion_ci(confidence, method="wilson")
    return Proportion(int(successes) / int(n), float(bounds.low), float(bounds.high))
