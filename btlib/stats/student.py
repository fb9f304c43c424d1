"""Student's paired t test, from values or from printed summaries. It takes the samples as independent."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import at_least, between, confident, plain, same_samples, without_spread
from btlib.stats.unpaired import Interval


@dataclass(frozen=True)
class TTest:
    """A difference held against its standard error.

    Attributes:
        difference: Mean of a − b.
        error: Its standard error, at least 0.
        statistic: t = difference / error; 0 where both are 0.
        freedom: Degrees of freedom.
        p: Two-sided p; 1 where there is no difference at all.
    """

    difference: float
    error: float
    statistic: float
    freedom: float
    p: float

    def interval(self, confidence: float = 0.95) -> Interval:
        """The difference ± t · error.

        Raises:
            StatsError: A confidence that is not between 0 and 1.
        """
        from scipy.stats import t

        confident(confidence)
        half = float(t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        return Interval(self.difference, self.difference - half, self.difference + half)


def t_test(difference: float, error: float, freedom: float) -> TTest:
    """The two-sided t test of a difference with a known standard error (doi 10.1093/biomet/6.1.1).

    Args:
        difference: Any finite number.
        error: Its standard error, at least 0.
        freedom: Degrees of freedom, above 0.

    Raises:
        StatsError: A number out of its range, or a difference without any spread, which has no t.
    """
    from scipy.stats import t

    difference, error, freedom = plain(difference, error, freedom)
    between(-math.inf, difference, math.inf, "a difference", "look where NaN or infinity came from")
    between(0, freedom, math.inf, "degrees of freedom", "compare on more samples")
    if not 0 <= error < math.inf:
        raise StatsError(f"expected a standard error of 0 or more, got {error}", hint="look where it came from")
    if error == 0:
        if difference != 0:
            hint = "use btlib.stats.paired, whose test needs no spread"
            raise StatsError(f"all differences are {difference:g}: without spread there is no t", hint=hint)
        return TTest(0.0, 0.0, 0.0, freedom, 1.0)
    statistic = difference / error
    return TTest(difference, error, statistic, freedom, float(2 * t.sf(abs(statistic), freedom)))


def paired_t(a: ArrayLike, b: ArrayLike) -> TTest:
    """The paired t test of a − b, as `scipy.stats.ttest_rel` does it; the thesis's test.

    Samples of one patient are not independent, so it is too sure of itself: report `paired` beside it.

    Args:
        a: One value a sample, float [n], n at least 2.
        b: The same of the other, float [n].

    Raises:
        StatsError: What `same_samples` refuses, or a constant difference other than 0.
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
    """The paired t test of two measurements known only by mean, spread and correlation.

    Args:
        mean_a: Mean of the one.
        std_a: Its standard deviation (n − 1), at least 0.
        mean_b: Mean of the other.
        std_b: Its standard deviation.
        correlation: Pearson's, between the two over the samples, −1…1.
        n: Samples, at least 2.

    Raises:
        StatsError: A number out of its range, or no spread of the difference.
    """
    at_least(2, n, "samples")
    for spread in (std_a, std_b):
        if not 0 <= spread < math.inf:
            raise StatsError(f"expected a standard deviation of 0 or more, got {spread}", hint="give it as printed")
    if not -1 <= correlation <= 1:
        raise StatsError(f"expected a correlation between -1 and 1, got {correlation}", hint="see implied_correlation")
    variance = std_a**2 + std_b**2 - 2 * correlation * std_a * std_b
    return t_test(mean_a - mean_b, math.sqrt(max(variance, 0.0) / n), n - 1)


def implied_correlation(mean_a: float, std_a: float, mean_b: float, std_b: float, statistic: float, n: int) -> float:
    """The correlation that a printed paired t implies, −1…1.

    Args:
        mean_a: Mean of the one.
        std_a: Its standard deviation (n − 1), above 0.
        mean_b: Mean of the other.
        std_b: Its standard deviation, above 0.
        statistic: The printed t, not 0.
        n: Samples, at least 2.

    Raises:
        StatsError: No correlation gives this t.
    """
    at_least(2, n, "samples")
    if not (statistic != 0 and std_a > 0 and std_b > 0):
        raise StatsError(f"t = {statistic} with spreads {std_a} and {std_b} implies nothing", hint="none may be 0")
    mean_a, std_a, mean_b, std_b, statistic = plain(mean_a, std_a, mean_b, std_b, statistic)
    spread = math.sqrt(n) * (mean_a - mean_b) / statistic
    implied = (std_a**2 + std_b**2 - spread**2) / (2 * std_a * std_b)
    if not -1 <= implied <= 1 or spread < 0:
        hint = "check the printed means, spreads and t, and the sign of t"
        raise StatsError(f"implies a correlation of {implied:.3f} and a spread of {spread:.3g}", hint=hint)
    return implied
