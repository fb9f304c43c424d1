"""A split of one's own: the last quarter tests."""

import numpy as np

from btlib.data.dataset import Dataset
from btlib.splits import SPLITS, Split


def last_quarter(dataset: Dataset) -> Split:
    """The samples in their order: half of them train, a quarter validates, the last quarter tests."""
    half, most = len(dataset) // 2, 3 * len(dataset) // 4
    at = np.arange(len(dataset))
    return Split("last-quarter", at[:half], at[half:most], at[most:])


SPLITS.add("last-quarter", last_quarter)
