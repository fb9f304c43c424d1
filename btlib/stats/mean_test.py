"""Test that the mean of differences is 0, for whole patients: sign flips, and a t that is corrected for skewness."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.stats.checks import Floats, Groups, at_least, between, group_numbers, numbers, resampled
from btlib.stats.multiplicity import holm, resamples_for
from btlib.stats.resampling import CELLS, sign_flips

Flags = NDArray[np.bool_]

MISTAKE = 1e-6
"""Probability that the Monte Carlo interval of a p does not cover it: about five standard errors on each side."""

_LONGEST = 100  # times as many flips as `resamples_for` gives, at most
_MOST_CELLS = 1_000_000_000  # signs per family: seconds
_ROUNDING = 1e-12  # of the sum of the absolute values: smaller sums and deviations are rounding errors


@dataclass(frozen=True, eq=False)
class FamilyTests:
    """Tests of a family, corrected for their number.

    Attributes:
        p: Two-sided p of each test, float64 [k] (see `mean_p`).
        holm: p, Holm-corrected within the family, float64 [k].
        p_is_bound: Whether no flip was as extreme as the observed mean, so that p is only an upper bound, bool [k].
        holm_is_bound: The same of the corrected p, bool [k].
        rejected: Whether the corrected p is below alpha, with its Monte Carlo error, bool [k].
        undecided: Whether the Monte Carlo error of the corrected p includes alpha after the largest number of flips, so
            that the test has no conclusion, bool [k].
    """

    p: Floats
    holm: Floats
    p_is_bound: Flags
    holm_is_bound: Flags
    rejected: Flags
    undecided: Flags


def family_tests(
    differences: ArrayLike, groups: Groups | None = None, alpha: float = 0.05, seed: int = 0
) -> FamilyTests:
    """Test that each row of differences has the mean 0, corrected by Holm's method; the seed decides no conclusion.

    The p of each test is that of `mean_p`. Random flips give it with a binomial error. While the exact
    (Clopper–Pearson) interval of a corrected p includes alpha, the number of flips is doubled, up to 100 times the
    first number (fewer with many patients). A test whose interval includes alpha even then is `undecided`.

    Args:
        differences: a − b of k pairs on the same n samples, float [k, n].
        groups: Patient of every sample; None treats the samples as independent.
        alpha: Error rate of the family, between 0 and 1.
        seed: Seed of the flips.

    Raises:
        StatsError: The shape is not [k, n], values are not finite, there are fewer than two samples or patients, or
            alpha or the seed is out of range.
    """
    rows = numbers(differences, "differences", ndim=2)
    at_least(1, len(rows), "pairs")
    between(0, alpha, 1, "an error rate", "0.05 is usual")
    of = np.arange(rows.shape[1]) if groups is None else group_numbers(groups, rows.shape[1])
    sizes = np.bincount(of).astype(np.float64)
    at_least(2, len(sizes), "samples" if groups is None else "groups")
    first = resamples_for(len(rows), alpha)
    resampled(first, seed)
    sums, most = by_group(rows, of), min(_LONGEST * first, max(first, _MOST_CELLS // len(sizes)))
    return _sequential(sums, sizes, alpha, np.random.default_rng(seed), first, most)


def _sequential(
    sums: Floats, sizes: Floats, alpha: float, rng: np.random.Generator, first: int, most: int
) -> FamilyTests:
    """Draw flips for the undecided tests until none is left, or `most` flips are drawn."""
    skewed = skewness_corrected_p(sums, sizes)
    extreme, drawn = np.zeros(len(sums)), np.zeros(len(sums))
    open_, size = np.ones(len(sums), np.bool_), first
    while True:
        extreme[open_] += count_extreme(sign_flips(rng, len(sizes), size), sums[open_])
        drawn[open_] += size
        low, high = (holm(np.maximum(bound, skewed)) for bound in _monte_carlo(extreme, drawn))
        undecided = (low < alpha) & (high >= alpha)
        size = int(drawn.max())
        if not undecided.any() or 2 * size > most:
            break
        open_ = undecided
    p = mean_p(extreme, drawn, skewed)
    bound = (extreme == 0) & (p > skewed)
    corrected = holm(p)
    return FamilyTests(p, corrected, bound, holm(np.where(bound, 0.0, p)) < corrected, high < alpha, undecided)


def _monte_carlo(extreme: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Return the Clopper–Pearson interval of the share of extreme flips, which misses it with probability `MISTAKE`."""
    from scipy.special import betaincinv

    rest = drawn - extreme
    low = np.where(extreme > 0, betaincinv(np.maximum(extreme, 1), rest + 1, MISTAKE / 2), 0.0)
    high = np.where(rest > 0, betaincinv(extreme + 1, np.maximum(rest, 1), 1 - MISTAKE / 2), 1.0)
    return low, high


def mean_p(extreme: Floats, total: Floats | int, skewed: Floats) -> Floats:
    """Two-sided p of a test that a mean is 0: the larger of the p of sign flips and that of a t corrected for skewness.

    Sign flips, one sign per patient, test that the differences are symmetric about 0 (doi
    10.1016/j.neuroimage.2014.01.060). They are exact then, for any number of patients. Differences with the mean 0 that
    are skewed, such as rare failures of one side, are rejected too often: simulated at 5 % with 20 to 200 patients of
    unequal size, 6–9 % for a failure in 30 % of the patients, 8–23 % in 10 %, 6–8 % for exponential and 11–14 % for
    lognormal differences. The larger p rejects these in 4–5 %, 3–20 %, 5–7 % and 7–11 %, and symmetric differences
    in at most 6.5 %. The price is power: 3–7 points for normal differences, up to 15 points for skewed ones.

    No test holds if the sample probably does not contain the failures at all: with a failure in 4 % of the patients,
    20 patients reject in 27 % and 47 patients in 20 %. The same holds for a failure in 10 % of 10 or 20 patients.

    Args:
        extreme: Number of flips whose mean is at least as extreme as the observed one, [k].
        total: Number of flips. The observed mean counts as one more, so p is never 0 (doi 10.2202/1544-6115.1585).
        skewed: p of `skewness_corrected_p`, [k].
    """
    return np.maximum((1 + extreme) / (1 + total), skewed)


def skewness_corrected_p(sums: Floats, sizes: Floats) -> Floats:
    """Two-sided p of the t of a mean over clusters, after Hall's transformation removes its skewness.

    The t is mean/error with the cluster-robust error (doi 10.2307/2533958). With γ, the skewness of the g clusters'
    deviations, t + γ(t²/3 + 1/6)/√g + γ²t³/(27 g) is compared with Student's t of g − 1 degrees of freedom
    (Hall 1992, doi 10.1111/j.2517-6161.1992.tb01876.x).

    Args:
        sums: Sum of each cluster's differences, float64 [k, g].
        sizes: Number of samples of each cluster, float64 [g].

    Returns:
        float64 [k]. Differences without any spread have p 0 if the mean is not 0, else 1.
    """
    from scipy.special import stdtr

    g, total = len(sizes), sums.sum(axis=1)
    reach = np.abs(sums).sum(axis=1)
    mean = total / sizes.sum()
    rest = sums - mean[:, None] * sizes
    scale = np.abs(rest).max(axis=1)
    flat = scale <= _ROUNDING * reach
    rest /= np.where(flat, 1.0, scale)[:, None]
    square = np.where(flat, 1.0, (rest * rest).sum(axis=1))
    t = total / np.where(flat, 1.0, scale) / np.sqrt(square * g / (g - 1))
    bend = (rest * rest * rest).sum(axis=1) / square**1.5  # γ/√g
    t = t + bend * (t * t / 3 + 1 / 6) + bend * bend * t * t * t / 27
    without_spread = (np.abs(total) <= _ROUNDING * reach).astype(np.float64)
    return np.asarray(np.where(flat, without_spread, 2 * stdtr(g - 1, -np.abs(t))))


def count_extreme(pieces: Iterable[Floats], sums: Floats) -> Floats:
    """Count the flips whose sum is at least as extreme as the observed one, for each row, float64 [k].

    Args:
        pieces: Signs of the clusters, float64 [r, g] each.
        sums: Sum of each cluster's differences, float64 [k, g].
    """
    rounding = _ROUNDING * np.abs(sums).sum(axis=1)  # tolerance, so that flips as extreme as the observed mean count
    observed = np.abs(sums.sum(axis=1)) - rounding
    extreme = np.zeros(len(sums))
    for signs in pieces:
        block = max(1, CELLS // len(signs))
        for at in (slice(start, start + block) for start in range(0, len(sums), block)):
            extreme[at] += np.count_nonzero(np.abs(signs @ sums[at].T) >= observed[at], axis=0)
    return extreme


def by_group(rows: Floats, of: NDArray[np.intp]) -> Floats:
    """Sum each row within each group, [k, n_groups]."""
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(of.max() + 1))
    return np.asarray(np.add.reduceat(rows[:, order], starts, axis=1))
