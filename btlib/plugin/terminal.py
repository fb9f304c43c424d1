"""What a run says while it goes on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from btlib.options import RunOptions
    from btlib.runs.progress import ProgressReporter


class Terminal:
    """The user's terminal, which pytest captures.

    Args:
        config: Of the session.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @property
    def progress_bars(self) -> bool:
        """Whether progress bars may be drawn: a person is watching, and this process owns the terminal."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        return reporter is not None and bool(reporter.isatty) and not hasattr(self.config, "workerinput")

    def report(self, line: str) -> None:
        """Put a line of progress on the terminal."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not hasattr(self.config, "workerinput"):
            with self._uncaptured():
                reporter.ensure_newline()
                reporter.write_line(line)

    def progress(self) -> "ProgressReporter":
        """The progress reporter of a run."""
        from btlib.runs.progress import ProgressReporter

        return ProgressReporter(self.report, self.progress_bars, self.uncaptured)

    def uncaptured(self) -> AbstractContextManager[object]:
        """While it lasts, output goes to the terminal instead of being captured, if a person is watching."""
        return self._uncaptured() if self.progress_bars else nullcontext()

    def _uncaptured(self) -> AbstractContextManager[object]:
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()


@contextmanager
def as_usage_error() -> Iterator[None]:
    """A deliberate error before the first item is for the user to correct: told without a traceback."""
    from btlib.errors import BtlibError

    try:
        yield
    except BtlibError as error:
        raise pytest.UsageError(str(error)) from error


def how_to_continue(options: "RunOptions") -> str:
    """The line below an interrupted run."""
    but = ", without --bt-retrain" if options.retrain else ""
    return (
        f"interrupted; to continue, repeat the command{but}: trained models are loaded from {options.checkpoints}, "
        "and a training resumes after its last stored epoch"
    )
