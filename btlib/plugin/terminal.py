"""Output of a run on the terminal."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from btlib.options import RunOptions
    from btlib.runs.progress import ProgressReporter


class Terminal:
    """The user's terminal, whose output pytest captures.

    Args:
        config: Configuration of the session.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @property
    def progress_bars(self) -> bool:
        """Whether progress bars may be drawn: the output is a terminal, and this process is not a worker."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        return reporter is not None and bool(reporter.isatty) and not hasattr(self.config, "workerinput")

    def report(self, line: str) -> None:
        """Print a line of progress on the terminal."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and not hasattr(self.config, "workerinput"):
            with self._uncaptured():
                reporter.ensure_newline()
                reporter.write_line(line)

    def progress(self) -> "ProgressReporter":
        """Return the progress reporter of a run."""
        from btlib.runs.progress import ProgressReporter

        return ProgressReporter(self.report, self.progress_bars, self.uncaptured)

    def uncaptured(self) -> AbstractContextManager[object]:
        """Return a context that disables the capture of output if progress bars may be drawn."""
        return self._uncaptured() if self.progress_bars else nullcontext()

    def _uncaptured(self) -> AbstractContextManager[object]:
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Convert an error of btlib into a usage error, which pytest prints without traceback."""
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
