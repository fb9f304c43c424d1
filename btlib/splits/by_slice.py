"""Split of the thesis, by slice."""

import numpy as np

from btlib.splits.split import Split

NAME = "slice-seed42"


def slice_seed42(n: int) -> Split:
    """Make the thesis's split of n slices in file order.

    The result is that of `torch.utils.data.random_split` with lengths [train, val, test] and a generator with seed 42,
    but without torch: `torch.randperm` on the CPU swaps positions i and i + z, where z is a draw from a Mersenne
    twister modulo n - i.

    Raises:
        SplitError: There are too few slices for a test set (n < 5).
    """
    n_test = int(0.2 * n)
    n_val = int(0.1 * (n - n_test))
    order = np.arange(n, dtype=np.int64)
    draws = np.random.RandomState(42).randint(0, 2**32, size=max(n - 1, 0), dtype=np.uint32)
    for i, draw in enumerate(draws.tolist()):
        j = i + draw % (n - i)
        order[i], order[j] = order[j], order[i]
    n_train = n - n_test - n_val
    return Split(NAME, order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :])
