"""Whoever is told of the progress of a run."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

_QUIET = 10.0  # seconds between two lines of progress: a short training reports nothing, a long one how far it is


@dataclass(frozen=True)
class ProgressReporter:
    """Progress reporter of a run.

    Attributes:
        report: Called with a line for the user.
        progress_bars: Whether progress bars may be drawn.
        uncaptured: While it lasts, output of cases reaches the terminal instead of being captured.
    """

    report: Callable[[str], None] = field(default=lambda line: None)
    progress_bars: bool = False
    uncaptured: Callable[[], AbstractContextManager[object]] = nullcontext

    def now_and_then(self) -> Callable[[str], None]:
        """Like `report`, but a line that follows another within ten seconds is left out."""
        last = time.monotonic()

        def throttled(line: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _QUIET:
                last = time.monotonic()
                self.report(line)

        return throttled
