"""Neighbouring slices held out together: what can be done about leakage where patient ids are unknown."""

import numpy as np
from numpy.typing import NDArray

from btlib.splits.by_slice import slice_seed42
from btlib.splits.split import Split

STRETCH = 70
"""About how many test slices stand in a row."""


def block_seed42(labels: NDArray[np.int64]) -> Split:
    """Test stretches of about 70 neighbours of one tumour type, each between two stretches of validation slices.

    As many slices of each type train, validate and test as in `slice-seed42`, so the two differ in nothing but whom
    the test slices sit beside. Neighbouring file numbers are mostly slices of one patient (median 13 a patient), so
    nearly no patient stands on both sides but at the outer ends of the validation stretches; without ids that cannot
    be verified, and what the two splits differ by is an estimate of the leakage.

    Args:
        labels: Class of every slice in file order, int64 [n].

    Raises:
        SplitError: Too few slices for a test set (n < 5).
    """
    like = slice_seed42(len(labels))
    rng = np.random.RandomState(42)
    parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "val": [], "test": []}
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        n_val, n_test = (int((labels[part] == label).sum()) for part in (like.val, like.test))
        kind = _kinds(len(members), n_val, n_test, rng)
        for k, part in enumerate(("train", "val", "test")):
            parts[part].append(members[kind == k])
    return Split("block-seed42", *(np.sort(np.concatenate(parts[part])) for part in ("train", "val", "test")))


def _kinds(n: int, n_val: int, n_test: int, rng: np.random.RandomState) -> NDArray[np.int64]:
    """For n slices in a row: 0 trains, 1 validates, 2 tests."""
    stretches = max(1, round(n_test / STRETCH))
    gaps = np.diff([0, *np.sort(rng.randint(0, n - n_val - n_test + 1, size=stretches)), n - n_val - n_test])
    tests, flanks = _even(n_test, stretches), _even(n_val, 2 * stretches)
    rows: list[int] = []
    for k in range(stretches):
        rows += [0] * gaps[k] + [1] * flanks[2 * k] + [2] * tests[k] + [1] * flanks[2 * k + 1]
    return np.array(rows + [0] * gaps[stretches], dtype=np.int64)


def _even(n: int, parts: int) -> list[int]:
    """Share n out in nearly equal parts."""
    return [(n * (k + 1)) // parts - (n * k) // parts for k in range(parts)]
