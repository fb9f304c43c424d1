"""The difference of two measurements of the same slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.errors import StatsError

_CELLS = 2_000_000  # random numbers held at once: 16 MB


@dataclass(frozen=True)
class PairedDifference:
    """Mean of a − b over the same slices.

    Attributes:
        difference: Mean of a − b.
        low: Lower bound of its bootstrap interval (percentile).
        high: Upper bound.
        p: Two-sided p of the sign-flip permutation test of no difference.
        n: Slices.
        n_groups: Units that were resampled: patients where they are given, else slices.
    """

    difference: float
    low: float
    high: float
    p: float
    n: int
    n_groups: int


def paired(
    a: ArrayLike,
    b: ArrayLike,
    groups: Sequence[object] | None = None,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Mean difference a − b with a bootstrap interval and a permutation test.

    Slices of one patient are not independent: give `groups`, and whole patients are drawn (and their signs flipped).

    Args:
        a: One value a slice, float [n].
        b: The same of the other, float [n].
        groups: Patient of every slice.
        n_resamples: Bootstrap draws, and permutations.
        confidence: Of the interval, between 0 and 1.
        seed: Same seed, same result.

    Raises:
        StatsError: Lengths differ, values are not finite, or fewer than two slices or patients.
    """
    difference = _differences(a, b)
    sums, sizes = _by_group(difference, groups)
    n_groups = len(sums)
    if n_groups < 2:
        raise StatsError(
            f"expected at least 2 {'slices' if groups is None else 'patients'}, got {n_groups}",
            mend="compare on more slices",
        )
    if not 0 < confidence < 1:
        raise StatsError(f"expected a confidence between 0 and 1, got {confidence}", mend="0.95 is usual")
    rng = np.random.default_rng(seed)
    means = np.concatenate([sums[at].sum(1) / sizes[at].sum(1) for at in _draws(rng, n_groups, n_resamples, n_groups)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    flipped = np.concatenate([(2 * signs - 1) @ sums for signs in _draws(rng, n_groups, n_resamples, 2)])
    observed = abs(sums.sum())
    extreme = np.count_nonzero(np.abs(flipped) >= observed * (1 - 1e-9))  # rounding must not lose the observed one
    p = (1 + extreme) / (1 + n_resamples)
    return PairedDifference(float(difference.mean()), float(low), float(high), float(p), len(difference), n_groups)


def _differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise StatsError(
            f"expected two lists of the same length, got shapes {first.shape} and {second.shape}",
            mend="give one value a slice, of the same slices in the same order",
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise StatsError("values are not finite", mend="look where NaN or infinity came from; nothing is dropped here")
    return np.asarray(first - second)


def _by_group(
    difference: NDArray[np.float64], groups: Sequence[object] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the differences of each group."""
    if groups is None:
        return difference, np.ones(len(difference))
    if len(groups) != len(difference):
        raise StatsError(f"expected {len(difference)} groups, got {len(groups)}", mend="give one patient a slice")
    if any(group is None for group in groups):
        raise StatsError("some slices have no group", mend="give every slice a patient, or groups=None")
    _, of = np.unique(np.array(groups, dtype=str), return_inverse=True)
    return np.asarray(np.bincount(of, weights=difference), np.float64), np.bincount(of).astype(np.float64)


def _draws(rng: np.random.Generator, width: int, total: int, below: int) -> Iterator[NDArray[np.int64]]:
    """Whole numbers under `below`, [total, width] in pieces that fit the memory."""
    rows = max(1, _CELLS // width)
    for start in range(0, total, rows):
        yield rng.integers(0, below, size=(min(rows, total - start), width))
