"""Seconds that a cell has measured, as pytest-benchmark shows, stores and compares them."""

from collections.abc import Sequence
from typing import Any

_now = 0.0


def recorded_clock() -> float:
    """A clock that goes on by the seconds of each recorded call; the timer of the suite's benchmarks."""
    return _now


def replay(benchmark: Any, seconds: Sequence[float]) -> None:
    """Give pytest-benchmark's fixture the recorded calls, one a round.

    Args:
        benchmark: The fixture, of a test that is marked `@pytest.mark.benchmark(timer=recorded_clock)`.
        seconds: Of each call.
    """
    left = iter(seconds)

    def start() -> None:
        global _now
        _now = 0.0

    def go_on() -> None:
        global _now
        _now = next(left)

    benchmark.pedantic(go_on, setup=start, rounds=len(seconds), iterations=1)
