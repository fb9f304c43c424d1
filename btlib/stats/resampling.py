"""Random draws of patients and of signs, as matrices. One matrix product applies them to all comparisons."""

from collections.abc import Iterator

import numpy as np

from btlib.stats.checks import Floats

CELLS = 4_000_000  # largest number of elements of one matrix: 32 MB


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
