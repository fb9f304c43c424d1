"""Shares in proportion: they add up, the largest remainder first, and nobody who is there gets nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.data.quota import shares


@pytest.mark.parametrize(
    ("weights", "n", "expected"),
    [
        ([23, 47, 30], 10, [2, 5, 3]),
        ([23, 47, 30], 24, [6, 11, 7]),
        ([1, 1, 1], 2, [1, 1, 0]),  # a tie goes to the earlier one
        ([0, 5, 5], 5, [0, 3, 2]),
        ([98, 1, 1], 3, [1, 1, 1]),  # as many as there are classes
        ([98, 1, 1], 2, [2, 0, 0]),  # fewer than that
        ([1, 98, 1], 4, [1, 2, 1]),  # it is taken from the largest
        ([98, 0, 2], 2, [1, 0, 1]),  # who is not there gets nothing
        ([7], 3, [3]),
    ],
)
def test_shares(weights: list[int], n: int, expected: list[int]):
    assert shares(weights, n) == expected


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6).filter(any), st.data())
def test_shares_add_up_and_never_exceed_what_is_there(weights: list[int], data: st.DataObject):
    n = data.draw(st.integers(1, sum(weights)))
    parts = shares(weights, n)
    assert sum(parts) == n
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
    if n >= sum(weight > 0 for weight in weights):
        assert all(part >= 1 for part, weight in zip(parts, weights, strict=True) if weight)
