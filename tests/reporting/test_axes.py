"""Shares are drawn on all of 0…1, by the catalogue; differences around 0."""

from dataclasses import replace

import pytest

from btlib.evaluation.catalogue import METRICS
from btlib.reporting.axes import SHARE, difference_limits, value_limits


@pytest.mark.parametrize("name", METRICS)
def test_the_range_in_the_catalogue_says_the_axis(name: str, monkeypatch: pytest.MonkeyPatch):
    share = METRICS[name].range == (0.0, 1.0)
    assert value_limits(name) == (SHARE if share else (METRICS[name].range[0], None))
    other = (-1.0, 1.0) if share else (0.0, 1.0)
    monkeypatch.setitem(METRICS._items, name, replace(METRICS[name], range=other))
    assert value_limits(name) == ((-1.0, None) if share else SHARE)


def test_there_are_shares_and_others():
    assert {name for name in METRICS if value_limits(name) != SHARE} == {"hd95", "hd95_mm", "brier", "nll"}


@pytest.mark.parametrize("ends", [(-0.2, 0.1), (0.3, None, -0.02), (0.0,), ()])
def test_differences_are_centred(ends: tuple[float | None, ...]):
    low, high = difference_limits(*ends)
    assert low == -high < 0
    assert all(low < end < high for end in ends if end is not None)


def test_the_room_beyond_the_ends():
    assert difference_limits(-0.2, 0.1) == pytest.approx((-0.212, 0.212))
    assert difference_limits(0.0, None) == (-0.01, 0.01)
    assert SHARE == (-0.02, 1.02)
