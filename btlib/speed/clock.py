"""Timing of a call."""

import time
from collections.abc import Callable


def clocked(function: Callable[[], object]) -> float:
    """Call a function and return its duration in seconds. The function must return only after its device is done."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
