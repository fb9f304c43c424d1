"""Correction of p for several comparisons."""

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import Floats, at_least, numbers


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
