"""How many times as fast: the median over turns, and an interval that keeps its word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import quantile_test

from btlib.errors import StatsError
from btlib.stats import speedup

SECONDS = st.floats(1e-3, 1e3)


def test_one_turn_by_hand():
    found = speedup([1.0, 3.0], [6.0, 2.0])
    assert (found.value, found.low, found.high, found.turns) == (2.0, 2.0, 2.0, 1)


def test_a_drift_within_a_turn_cancels():
    """Everything gets slower by the same amount from call to call: A B B A at 1, 2, 3, 4."""
    assert speedup([1.0, 4.0], [2.0, 3.0]).value == 1.0


@given(st.lists(st.tuples(SECONDS, SECONDS, SECONDS, SECONDS), min_size=1, max_size=40), st.floats(0.1, 10))
def test_a_slower_machine_has_the_same_ratio(turns: list[tuple[float, ...]], slower: float):
    a = np.array([t for turn in turns for t in turn[:2]])
    b = np.array([t for turn in turns for t in turn[2:]])
    found, again = speedup(a, b), speedup(a * slower, b * slower)
    assert found.low <= found.value <= found.high
    assert again.value == pytest.approx(found.value)
    if len(turns) % 2:
        assert speedup(b, a).value == pytest.approx(1 / found.value)


@pytest.mark.parametrize("turns", [6, 9, 25, 60])
def test_the_interval_is_scipys(turns: int):
    rng = np.random.default_rng(turns)
    a, b = rng.uniform(1, 2, 2 * turns), rng.uniform(5, 9, 2 * turns)
    ratios = b.reshape(-1, 2).sum(1) / a.reshape(-1, 2).sum(1)
    bounds = quantile_test(ratios, p=0.5).confidence_interval(0.95)
    found = speedup(a, b)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))


def test_few_turns_give_the_whole_range():
    found = speedup([1, 1, 1, 1, 1, 1], [1, 1, 2, 2, 3, 3])
    assert (found.low, found.value, found.high) == (1, 2, 3)


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ([1.0], [1.0], "complete turns"),
        ([1.0, 1.0], [1.0], "complete turns"),
        ([], [], "at least 2"),
        ([1.0, 0.0], [1.0, 1.0], "above 0"),
        ([1.0, float("nan")], [1.0, 1.0], "not finite"),
    ],
)
def test_what_is_no_measurement(ours: list[float], theirs: list[float], told: str):
    with pytest.raises(StatsError, match=told):
        speedup(ours, theirs)
