"""Random draws of patients and of signs, as matrices. One matrix product applies them to all comparisons."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from btlib.stats.checks import Floats

CELLS = 4_000_000  # largest number of elements of one matrix: 32 MB
REMEMBERED = 1_000_000  # largest number of elements of a cached matrix: 8 MB


def draws(seed: int, n_groups: int, n_resamples: int) -> tuple[Iterable[Floats], Iterable[Floats]]:
    """Bootstrap weights and random signs from one seed; iterate over the weights first.

    A run compares many metrics and cases of the same patients. Small matrices are drawn once for all of them.

    Args:
        seed: Seed of the generator.
        n_groups: Number of groups, such as patients.
        n_resamples: Number of resamples.

    Returns:
        The matrices that `bootstrap_weights` and then `sign_flips` yield with this seed; cached ones are read-only.
    """
    if n_groups * n_resamples <= REMEMBERED:
        weights, signs = _remembered(int(seed), n_groups, n_resamples)
        return [weights], [signs]
    rng = np.random.default_rng(seed)
    return bootstrap_weights(rng, n_groups, n_resamples), sign_flips(rng, n_groups, n_resamples)


@lru_cache(maxsize=4)
def _remembered(seed: int, n_groups: int, n_resamples: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    weights = np.concatenate(list(bootstrap_weights(rng, n_groups, n_resamples)))
    signs = np.concatenate(list(sign_flips(rng, n_groups, n_resamples)))
    weights.flags.writeable = signs.flags.writeable = False
    return weights, signs


def bootstrap_weights(rng: np.random.Generator, n_groups: int, n_resamples: int) -> Iterator[Floats]:
    """Draw groups with replacement and count how often each group is drawn in each resample.

    Yields:
        Counts, float64 [r, n_groups], in pieces that fit the memory, n_resamples rows in total; every row sums to
        n_groups.
    """
    for rows in _pieces(n_resamples, n_groups):
        drawn = rng.integers(0, n_groups, size=(rows, n_groups))
        drawn += (
            np.arange(rows)[:, None] * n_groups
        )  # a unique number per group and row, so that one bincount is enough
        counts = np.bincount(drawn.ravel(), minlength=rows * n_groups)
        yield counts.reshape(rows, n_groups).astype(np.float64)


def sign_flips(rng: np.random.Generator, n_groups: int, n_resamples: int) -> Iterator[Floats]:
    """Draw random signs of the groups.

    Yields:
        Signs −1 and 1, float64 [r, n_groups], in pieces that fit the memory, n_resamples rows in total.
    """
    for rows in _pieces(n_resamples, n_groups):
        octets = rng.integers(0, 256, size=(rows, (n_groups + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(octets, axis=1, count=n_groups) * np.float64(2) - 1


def _pieces(total: int, width: int) -> Iterator[int]:
    rows = max(1, CELLS // width)
    for start in range(0, total, rows):
        yield min(rows, total - start)
