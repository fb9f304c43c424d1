"""The time that a call takes."""

import time
from collections.abc import Callable


def clocked(function: Callable[[], object]) -> float:
    """Seconds of a call, which returns when its device is done."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
