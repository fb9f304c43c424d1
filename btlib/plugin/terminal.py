"""What a run says while it goes on."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

_QUIET = 10.0  # seconds between two lines of progress: a short training says nothing, a long one where it is


class Terminal:
    """The user's terminal, which pytest captures.

    Args:
        config: Of the session.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @property
    def live(self) -> bool:
        """Whether progress bars may be drawn: a person is watching, and this process owns the terminal."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        return reporter is not None and bool(reporter.isatty) and not hasattr(self.config, "workerinput")

    def say(self, line: str) -> None:
        """Put a line of progress on the terminal."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not hasattr(self.config, "workerinput"):
            with self._uncaptured():
                reporter.ensure_newline()
                reporter.write_line(line)

    def now_and_then(self) -> Callable[[str], None]:
        """Like `say`, but a line that follows another within ten seconds is left out."""
        last = time.monotonic()

        def throttled(line: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _QUIET:
                last = time.monotonic()
                self.say(line)

        return throttled

    def speaking(self) -> AbstractContextManager[object]:
        """While it lasts, output goes to the terminal instead of being captured, if a person is watching."""
        return self._uncaptured() if self.live else nullcontext()

    def _uncaptured(self) -> AbstractContextManager[object]:
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()


@contextmanager
def as_usage_error() -> Iterator[None]:
    """A deliberate error before the first item is the user's to mend: told without a traceback."""
    from btlib.errors import BtlibError

    try:
        yield
    except BtlibError as error:
        raise pytest.UsageError(str(error)) from error
