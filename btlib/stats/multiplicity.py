"""Correction of p for several comparisons."""

import math

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import Floats, at_least, between, numbers


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p of a family of tests (Scand. J. Statist. 6, 65–70, 1979), as computed by statsmodels.

    Compare the adjusted p with α. The probability of any false positive in the family is then at most α, for any
    dependence between the tests.

    Args:
        p: Raw p of all tests of the family, float [k], 0…1.

    Returns:
        Adjusted p in the same order, float64 [k], each at least its raw p and at most 1.

    Raises:
        StatsError: The family is empty, or a value is not in 0…1. NaN is an error too: a failed test is not left out.
    """
    from statsmodels.stats.multitest import multipletests

    raw = numbers(p, "p")
    at_least(1, len(raw), "tests")
    if raw.min() < 0 or raw.max() > 1:
        raise StatsError(
            f"expected p between 0 and 1, got {raw.min():g} to {raw.max():g}", hint="give p, not statistics"
        )
    return np.asarray(multipletests(raw, method="holm")[1], np.float64)


def resamples_for(n_tests: int, alpha: float = 0.05, least: int = 10_000) -> int:
    """Return the number of resamples with which a family of permutation tests can reject after Holm's correction.

    With B resamples no p is below 1/(B + 1), so the smallest corrected p of n tests is n/(B + 1). It is kept below a
    tenth of alpha.

    Args:
        n_tests: Number of tests in the family, at least 1.
        alpha: Error rate of the family, between 0 and 1.
        least: Smallest number of resamples to return.

    Raises:
        StatsError: There is no test, alpha is out of range, or `least` is below 1.
    """
    at_least(1, n_tests, "tests")
    at_least(1, least, "resamples")
    between(0, alpha, 1, "an error rate", "0.05 is usual")
    return max(least, math.ceil(10 * n_tests / alpha))
