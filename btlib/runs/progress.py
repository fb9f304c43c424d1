"""Progress reporter of a run."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

_QUIET = 10.0  # seconds between two progress messages; a short training therefore reports nothing


@dataclass(frozen=True)
class ProgressReporter:
    """Functions that show the progress of a run to the user.

    Attributes:
        report: Function that shows a message to the user.
        progress_bars: Whether progress bars may be shown.
        uncaptured: Function that returns a context in which the output of cases goes to the terminal uncaptured.
    """

    report: Callable[[str], None] = field(default=lambda line: None)
    progress_bars: bool = False
    uncaptured: Callable[[], AbstractContextManager[object]] = nullcontext

    def now_and_then(self) -> Callable[[str], None]:
        """Return a function like `report` that skips a message less than ten seconds after the previous message."""
        last = time.monotonic()

        def throttled(line: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _QUIET:
                last = time.monotonic()
                self.report(line)

        return throttled
