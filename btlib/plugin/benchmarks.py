"""Pass measured seconds to pytest-benchmark, which shows, stores and compares them."""

from collections.abc import Sequence
from typing import Any

_now = 0.0


def recorded_clock() -> float:
    """Return the time of a clock that advances by the seconds of each recorded call; the suite uses it as timer."""
    return _now


def replay(benchmark: Any, seconds: Sequence[float]) -> None:
    """Pass recorded calls to pytest-benchmark's fixture, one per round.

    Args:
        benchmark: Fixture of a test that is marked with `@pytest.mark.benchmark(timer=recorded_clock)`.
        seconds: Seconds of each call.
    """
    left = iter(seconds)

    def start() -> None:
        global _now
        _now = 0.0

    def advance() -> None:
        global _now
        _now = next(left)

    benchmark.pedantic(advance, setup=start, rounds=len(seconds), iterations=1)
