"""Student's paired t test, from values or from published summaries. It assumes that the samples are independent."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.ranges import NOT_NEGATIVE, POSITIVE, Range
from btlib.stats.checks import at_least, between, confident, plain, same_samples, without_spread
from btlib.stats.unpaired import Interval


@dataclass(frozen=True)
class TTest:
    """Result of a t test: a difference compared with its standard error.

    Attributes:
        difference: Mean of a − b.
        error: Standard error of the difference, at least 0.
        statistic: t = difference / error; 0 if both are 0.
        freedom: Degrees of freedom.
        p: Two-sided p; 1 if difference and error are both 0.
    """

    difference: float
    error: float
    statistic: float
    freedom: float
    p: float

    def interval(self, confidence: float = 0.95) -> Interval:
        """Compute the confidence interval, difference ± t · error.

        Raises:
            StatsError: The confidence is not between 0 and 1.
        """
        from scipy.stats import t

        confident(confidence)
        half = float(t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        return Interval(self.difference, self.difference - half, self.difference + half)


def t_test(difference: float, error: float, freedom: float) -> TTest:
    """Two-sided t test of a difference with a known standard error (doi 10.1093/biomet/6.1.1).

    Args:
        difference: Any finite number.
        error: Standard error of the difference, at least 0.
        freedom: Degrees of freedom, above 0.

    Raises:
        StatsError: A number is out of range, or the error is 0 and the difference is not, so that t is undefined.
    """
    from scipy.stats import t

    difference, error, freedom = plain(difference, error, freedom)
    between(-math.inf, difference, math.inf, "a difference", "find the source of NaN or infinity")
    between(0, freedom, math.inf, "degrees of freedom", "compare on more samples")
    if error not in NOT_NEGATIVE:
        raise StatsError(f"expected a standard error of 0 or more, got {error}", hint="find its source")
    if error == 0:
        if difference != 0:
            hint = "use btlib.stats.paired, whose test needs no spread"
            raise StatsError(f"all differences are {difference:g}: t is undefined without spread", hint=hint)
        return TTest(0.0, 0.0, 0.0, freedom, 1.0)
    statistic = difference / error
    return TTest(difference, error, statistic, freedom, float(2 * t.sf(abs(statistic), freedom)))


def paired_t(a: ArrayLike, b: ArrayLike) -> TTest:
    """Paired t test of a − b, as in `scipy.stats.ttest_rel`; the test of the thesis.

    Samples of one patient are not independent, so its p is too small: report `paired` in addition.

    Args:
        a: One value of a per sample, float [n], n at least 2.
        b: One value of b per sample, float [n].

    Raises:
        StatsError: As `same_samples`, or all differences are the same number other than 0.
    """
    from scipy.stats import ttest_rel

    first, second = same_samples(a, b)
    differences = first - second
    only = without_spread(differences, float(np.abs([first, second]).max()))
    if only is not None:
        return t_test(only, 0.0, len(differences) - 1)
    result = ttest_rel(first, second)
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return TTest(float(differences.mean()), error, float(result.statistic), len(differences) - 1, float(result.pvalue))


def paired_t_from_summary(
    mean_a: float, std_a: float, mean_b: float, std_b: float, correlation: float, n: int
) -> TTest:
    """Paired t test of two measurements of which only mean, standard deviation and correlation are known.

    Args:
        mean_a: Mean of a.
        std_a: Standard deviation of a (n − 1), at least 0.
        mean_b: Mean of b.
        std_b: Standard deviation of b, at least 0.
        correlation: Pearson's correlation of a and b over the samples, −1…1.
        n: Number of samples, at least 2.

    Raises:
        StatsError: A number is out of range, or the difference is not 0 and has no spread.
    """
    at_least(2, n, "samples")
    for spread in (std_a, std_b):
        if spread not in NOT_NEGATIVE:
            raise StatsError(f"expected a standard deviation of 0 or more, got {spread}", hint="give it as published")
    if correlation not in Range(-1, 1):
        raise StatsError(
            f"expected a correlation between -1 and 1, got {correlation}", hint="see `implied_correlation`"
        )
    variance = std_a**2 + std_b**2 - 2 * correlation * std_a * std_b
    return t_test(mean_a - mean_b, math.sqrt(max(variance, 0.0) / n), n - 1)


def implied_correlation(mean_a: float, std_a: float, mean_b: float, std_b: float, statistic: float, n: int) -> float:
    """Compute the correlation of a and b that a published paired t implies, −1…1.

    Args:
        mean_a: Mean of a.
        std_a: Standard deviation of a (n − 1), above 0.
        mean_b: Mean of b.
        std_b: Standard deviation of b, above 0.
        statistic: The published t, not 0.
        n: Number of samples, at least 2.

    Raises:
        StatsError: An argument is out of range, or no correlation gives this t.
    """
    at_least(2, n, "samples")
    if not (statistic in Range() and statistic != 0 and std_a in POSITIVE and std_b in POSITIVE):
        raise StatsError(
            f"t = {statistic} with standard deviations {std_a} and {std_b} implies no correlation",
            hint="t must not be 0, and the standard deviations must be above 0",
        )
    mean_a, std_a, mean_b, std_b, statistic = plain(mean_a, std_a, mean_b, std_b, statistic)
    spread = math.sqrt(n) * (mean_a - mean_b) / statistic
    implied = (std_a**2 + std_b**2 - spread**2) / (2 * std_a * std_b)
    if not -1 <= implied <= 1 or spread < 0:
        hint = "check the published means, standard deviations and t, and the sign of t"
        raise StatsError(
            f"t = {statistic:g} implies a correlation of {implied:.3f} and a standard deviation of {spread:.3g}",
            hint=hint,
        )
    return implied
