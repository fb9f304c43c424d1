"""Random draws of patients and of signs, as matrices: k comparisons share them by one matrix product."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from btlib.stats.checks import Floats

CELLS = 4_000_000  # numbers held at once by one matrix: 32 MB
REMEMBERED = 1_000_000  # numbers of a matrix that is kept for the next metric or case: 8 MB


def draws(seed: int, n_groups: int, n_resamples: int) -> tuple[Iterable[Floats], Iterable[Floats]]:
    """Bootstrap weights and random signs from one seed; iterate over the weights first.

    A run compares many metrics and cases of the same patients: small matrices are drawn once for all of them.

    Args:
        seed: Seed of the generator.
        n_groups: Number of groups, such as patients.
        n_resamples: Number of resamples.

    Returns:
        What `bootstrap_weights` and then `sign_flips` yield with a generator of this seed; read-only where remembered.
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
    """How often each group is drawn, with replacement, in each resample.

    Yields:
        Float64 [r, n_groups] in pieces that fit the memory, n_resamples rows in all; every row sums to n_groups.
    """
    for rows in _pieces(n_resamples, n_groups):
        drawn = rng.integers(0, n_groups, size=(rows, n_groups))
        drawn += (
            np.arange(rows)[:, None] * n_groups
        )  # a number of its own for each group of each row: one count for all
        counts = np.bincount(drawn.ravel(), minlength=rows * n_groups)
        yield counts.reshape(rows, n_groups).astype(np.float64)


def sign_flips(rng: np.random.Generator, n_groups: int, n_resamples: int) -> Iterator[Floats]:
    """Random signs of the groups.

    Yields:
        Float64 [r, n_groups] of −1 and 1, in pieces that fit the memory, n_resamples rows in all.
    """
    for rows in _pieces(n_resamples, n_groups):
        octets = rng.integers(0, 256, size=(rows, (n_groups + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(octets, axis=1, count=n_groups) * np.float64(2) - 1


def _pieces(total: int, width: int) -> Iterator[int]:
    rows = max(1, CELLS // width)
    for start in range(0, total, rows):
        yield min(rows, total - start)
