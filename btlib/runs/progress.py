"""Whoever is told of the progress of a run."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

_QUIET = 10.0  # seconds between two lines of progress: a short training reports nothing, a long one how far it is


@dataclass(frozen=True)
class Progress:
    """Progress reporter of a run.

    Attributes:
        say: Called with a line for the user.
        live: Whether progress bars may be drawn.
        speaking: While it lasts, output of cases reaches the terminal instead of being captured.
    """

    say: Callable[[str], None] = field(default=lambda line: None)
    live: bool = False
    speaking: Callable[[], AbstractContextManager[object]] = nullcontext

    def now_and_then(self) -> Callable[[str], None]:
        """Like `say`, but a line that follows another within ten seconds is left out."""
        last = time.monotonic()

        def throttled(line: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _QUIET:
                last = time.monotonic()
                self.say(line)

        return throttled
