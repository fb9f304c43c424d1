"""Random draws of patients and of signs, as matrices: k comparisons share them by one matrix product."""

from collections.abc import Iterator

import numpy as np

from btlib.stats.checks import Floats

CELLS = 4_000_000  # numbers held at once by one matrix: 32 MB


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
