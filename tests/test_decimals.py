"""Decimals of small and large numbers."""

import math

import pytest

from btlib.decimals import decimals


@pytest.mark.parametrize(
    ("margin", "values", "expected"),
    [
        (0.02, (), 4),
        (1e-6, (), 7),
        (5.0, (1e-9,), 4),
        (None, (0.73, 0.05), 4),
        (None, (0.00002,), 7),
        (None, (3.0, 0.00002, None, math.nan, 0.0), 7),
        (None, (), 4),
        (None, (0.0,), 4),
        (1e-320, (), 20),
    ],
)
def test_decimals(margin: float | None, values: tuple[float | None, ...], expected: int):
    assert decimals(margin, values) == expected
