"""McNemar's exact test, computed from the samples on which exactly one of two models is right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.ranges import WHOLE
from btlib.stats.checks import same_samples


@dataclass(frozen=True)
class McNemar:
    """Result of McNemar's exact test.

    Attributes:
        only_a: Number of samples on which only a is right.
        only_b: Number of samples on which only b is right.
        p: Two-sided p; 1 if the two never disagree.
    """

    only_a: int
    only_b: int
    p: float


def discordant(a: ArrayLike, b: ArrayLike) -> tuple[int, int]:
    """Count the samples on which only a is right, and those on which only b is right.

    Args:
        a: Whether a is right, bool [n] (or 0 and 1), n at least 2.
        b: Whether b is right on the same samples, bool [n].

    Raises:
        StatsError: As `same_samples`, or a value is neither 0 nor 1.
    """
    first, second = same_samples(a, b)
    for values in (first, second):
        other = values[(values != 0) & (values != 1)]
        if len(other):
            hint = "give the correctness of each sample, not a score or a class"
            raise StatsError(f"expected right or wrong (bool, or 0 and 1), got {other[0]:g}", hint=hint)
    return int(np.count_nonzero(first > second)), int(np.count_nonzero(first < second))


def mcnemar(a: ArrayLike, b: ArrayLike) -> McNemar:
    """McNemar's exact test of equal accuracy on the same samples (doi 10.1007/BF02295996).

    It assumes that the samples are independent.

    Args:
        a: Whether a is right, bool [n] (or 0 and 1), n at least 2.
        b: Whether b is right on the same samples, bool [n].

    Raises:
        StatsError: As `discordant`.
    """
    return mcnemar_from_counts(*discordant(a, b))


def mcnemar_from_counts(only_a: int, only_b: int) -> McNemar:
    """McNemar's exact test from the counts of disagreement: a two-sided binomial test with probability 0.5.

    Args:
        only_a: Number of samples on which only a is right, 0 or more.
        only_b: Number of samples on which only b is right, 0 or more.

    Raises:
        StatsError: A count is below 0 or not an integer.
    """
    from statsmodels.stats import contingency_tables

    counted(only_a, only_b)
    result = contingency_tables.mcnemar([[0, only_a], [only_b, 0]], exact=True)
    return McNemar(int(only_a), int(only_b), float(result.pvalue))


def counted(only_a: int, only_b: int) -> None:
    """Check that two numbers are counts.

    Raises:
        StatsError: A number is below 0 or not an integer.
    """
    if not all(count in WHOLE for count in (only_a, only_b)):
        raise StatsError(f"expected two counts of samples, got {only_a} and {only_b}", hint="see `discordant`")
