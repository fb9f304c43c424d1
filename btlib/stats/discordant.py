"""McNemar's exact test: who is right where only one of two is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import same_samples


@dataclass(frozen=True)
class McNemar:
    """Outcome of McNemar's exact test.

    Attributes:
        only_a: Samples on which only a is right.
        only_b: Samples on which only b is right.
        p: Two-sided p; 1 where the two never disagree.
    """

    only_a: int
    only_b: int
    p: float


def discordant(a: ArrayLike, b: ArrayLike) -> tuple[int, int]:
    """Samples on which only a, and only b, is right.

    Args:
        a: Whether a is right, bool [n] (or 0 and 1), n at least 2.
        b: Whether b is right on the same samples, bool [n].

    Raises:
        StatsError: What `same_samples` refuses, or values other than 0 and 1.
    """
    first, second = same_samples(a, b)
    for values in (first, second):
        other = values[(values != 0) & (values != 1)]
        if len(other):
            hint = "give correctness by sample, not a score or a class"
            raise StatsError(f"expected right or wrong (bool, or 0 and 1), got {other[0]:g}", hint=hint)
    return int(np.count_nonzero(first > second)), int(np.count_nonzero(first < second))


def mcnemar(a: ArrayLike, b: ArrayLike) -> McNemar:
    """McNemar's exact test of equal accuracy on the same samples, taken as independent (doi 10.1007/BF02295996).

    Args:
        a: Whether a is right, bool [n] (or 0 and 1), n at least 2.
        b: Whether b is right on the same samples, bool [n].

    Raises:
        StatsError: What `discordant` refuses.
    """
    return mcnemar_from_counts(*discordant(a, b))


def mcnemar_from_counts(only_a: int, only_b: int) -> McNemar:
    """McNemar's exact test from the samples on which the two disagree: a two-sided binomial test of even chances.

    Args:
        only_a: Samples on which only a is right, 0 or more.
        only_b: Samples on which only b is right, 0 or more.

    Raises:
        StatsError: A count below 0.
    """
    from statsmodels.stats import contingency_tables

    counted(only_a, only_b)
    result = contingency_tables.mcnemar([[0, only_a], [only_b, 0]], exact=True)
    return McNemar(int(only_a), int(only_b), float(result.pvalue))


def counted(only_a: int, only_b: int) -> None:
    """Refuse what is no pair of counts.

    Raises:
        StatsError: Below 0, or not whole.
    """
    if not all(count >= 0 and count % 1 == 0 for count in (only_a, only_b)):
        raise StatsError(f"expected two counts of samples, got {only_a} and {only_b}", hint="see discordant")
