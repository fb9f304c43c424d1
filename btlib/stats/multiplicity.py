"""Several comparisons at once."""

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import Floats, at_least, numbers


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p of a family of tests (Scand. J. Statist. 6, 65–70, 1979), as statsmodels computes them.

    Compare them with α as they are: the chance of any false finding in the family is then at most α, however the tests
    depend on each other.

    Args:
        p: Raw p of all tests of the family, float [k], 0…1.

    Returns:
        Adjusted p in the same order, float64 [k], each at least its raw p and at most 1.

    Raises:
        StatsError: An empty family, or what is no p (NaN included: a test that failed is not left out).
    """
    from statsmodels.stats.multitest import multipletests

    raw = numbers(p, "p")
    at_least(1, len(raw), "tests")
    if raw.min() < 0 or raw.max() > 1:
        raise StatsError(
            f"expected p between 0 and 1, got {raw.min():g} to {raw.max():g}", hint="give p, not statistics"
        )
    return np.asarray(multipletests(raw, method="holm")[1], np.float64)
