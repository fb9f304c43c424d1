"""The difference of two measurements of the same samples; of many such pairs at once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.stats.checks import Floats, Groups, at_least, confident, group_numbers, numbers, same_samples
from btlib.stats.resampling import CELLS, draws


@dataclass(frozen=True)
class PairedDifference:
    """Mean of a − b over the same samples.

    Attributes:
        difference: Mean of a − b.
        low: Lower bound of its bootstrap interval.
        high: Upper bound.
        p: Two-sided p of the sign-flip permutation test of no difference.
        n: Samples.
        n_groups: Units that were resampled: patients where they are given, else samples.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int
    n_groups: int


@dataclass(frozen=True, eq=False)
class PairedDifferences:
    """k comparisons on the same samples.

    Attributes:
        difference: Mean of each row, float64 [k].
        low: Lower bounds, float64 [k].
        high: Upper bounds, float64 [k].
        p: Two-sided p, one a row and not adjusted for there being k, float64 [k].
        n: Samples.
        n_groups: Units that were resampled.
    """

    difference: Floats
    low: Floats
    high: Floats
    p: Floats
    n: int
    n_groups: int

    def rows(self) -> list[PairedDifference]:
        """The comparisons one by one."""
        columns = (self.difference, self.low, self.high, self.p)
        return [
            PairedDifference(difference, low, high, p, self.n, self.n_groups)
            for difference, low, high, p in np.transpose(columns).tolist()
        ]


def paired(
    a: ArrayLike,
    b: ArrayLike,
    groups: Groups | None = None,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Mean difference a − b with a bootstrap interval and a permutation test: `paired_many` of one pair.

    Samples of one patient are not independent: give `groups`, and whole patients are drawn (and their signs flipped).

    Args:
        a: One value a sample, float [n].
        b: The same of the other, float [n].
        groups: Patient of every sample.
        n_resamples: Bootstrap draws, and permutations.
        confidence: Of the interval, between 0 and 1.
        seed: Same seed, same result.

    Raises:
        StatsError: Lengths differ, values are not finite, or fewer than two samples or patients.
    """
    first, second = same_samples(a, b)
    return paired_many((first - second)[None], groups, n_resamples, confidence, seed).rows()[0]


def paired_many(
    differences: ArrayLike,
    groups: Groups | None = None,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifferences:
    """Mean of each row of differences, with bootstrap intervals and permutation tests that share their draws.

    Interval: percentiles of the mean over patients drawn with replacement (doi 10.1111/j.1467-9868.2007.00593.x), at
    levels widened for few patients (`percentile_levels`). A patient weighs by its number of samples. With very few
    patients, or where few of them differ at all, it still covers less than it says. p: the share of random sign flips
    of whole patients whose mean is as extreme (doi 10.1016/j.neuroimage.2014.01.060), the observed one counted in
    (doi 10.2202/1544-6115.1585), so never 0.

    Args:
        differences: a − b of k pairs on the same n samples, float [k, n].
        groups: Patient of every sample; None takes the samples as independent.
        n_resamples: Bootstrap draws, and permutations, at least 1.
        confidence: Of each interval, between 0 and 1.
        seed: Same seed, same result; a row's result does not depend on the other rows.

    Raises:
        StatsError: Not [k, n], values are not finite, or fewer than two samples or patients.
    """
    rows = numbers(differences, "differences", ndim=2)
    confident(confidence)
    at_least(1, len(rows), "pairs")
    at_least(1, n_resamples, "resamples")
    of = np.arange(rows.shape[1]) if groups is None else group_numbers(groups, rows.shape[1])
    sizes = np.bincount(of).astype(np.float64)
    at_least(2, len(sizes), "samples" if groups is None else "patients")
    mean, rest = _centre(rows)
    sums, left = _by_group(rows, of), _by_group(rest, of)
    levels = percentile_levels(confidence, len(sizes))
    deviations, p = [], []
    block = max(1, CELLS // n_resamples)
    for at in (slice(start, start + block) for start in range(0, len(rows), block)):
        weights, signs = draws(seed, len(sizes), n_resamples)  # the same draws for every block
        deviations.append(np.quantile(_drawn_means(weights, left[at], sizes), levels, axis=0))
        p.append(_sign_flip_p(signs, sums[at], n_resamples))
    low, high = mean + np.concatenate(deviations, axis=1)
    return PairedDifferences(mean, low, high, np.concatenate(p), rows.shape[1], len(sizes))


def percentile_levels(confidence: float, n_groups: int) -> tuple[float, float]:
    """Levels of the expanded percentile interval (Hesterberg 2015, doi 10.1080/00031305.2015.1089789).

    Plain percentiles are too narrow by √((g − 1)/g) and by the normal in place of Student's t: with 47 patients a 95 %
    interval covers 93–94 %. These levels correct both for the mean.

    Args:
        confidence: Between 0 and 1.
        n_groups: Units that are drawn, at least 2.

    Returns:
        Lower and upper level, between 0 and 1.
    """
    from scipy.special import ndtr, stdtrit

    reach = np.sqrt(n_groups / (n_groups - 1)) * stdtrit(n_groups - 1, (1 + confidence) / 2)
    return float(ndtr(-reach)), float(ndtr(reach))


def _centre(rows: Floats) -> tuple[Floats, Floats]:
    """Mean of each row, and what is left; measured from its first value, so that equal values leave exact zeros."""
    rest = rows - rows[:, :1]
    shift = rest.mean(axis=1)
    return rows[:, 0] + shift, rest - shift[:, None]


def _by_group(rows: Floats, of: NDArray[np.intp]) -> Floats:
    """Sum of each group, [k, n_groups]."""
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(of.max() + 1))
    return np.asarray(np.add.reduceat(rows[:, order], starts, axis=1))


def _drawn_means(pieces: Iterable[Floats], sums: Floats, sizes: Floats) -> Floats:
    """Mean over the samples of the patients drawn, [n_resamples, k]."""
    return np.concatenate([(weights @ sums.T) / (weights @ sizes)[:, None] for weights in pieces])


def _sign_flip_p(pieces: Iterable[Floats], sums: Floats, total: int) -> Floats:
    rounding = 1e-12 * np.abs(sums).sum(axis=1)  # must not lose flips that are as extreme as the observed
    observed = np.abs(sums.sum(axis=1)) - rounding
    extreme = np.zeros(len(sums))
    for signs in pieces:
        extreme += np.count_nonzero(np.abs(signs @ sums.T) >= observed, axis=0)
    return np.asarray((1 + extreme) / (1 + total))
