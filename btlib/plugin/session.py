"""What one pytest session shares: options, one run for each tier, the folder the runs lie in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from btlib.plugin.options import STATUS, Options

if TYPE_CHECKING:
    from btlib.baselines import Baseline
    from btlib.cases import Case
    from btlib.errors import BaselineError
    from btlib.plugin.run import Run


class Session:
    """The benchmark side of a pytest session: its runs and collected cases by tier, and why items failed so far.

    Args:
        config: Of the session.
        options: What the user asked for.
        stamp: Name shared by the run folders of this session, its xdist workers included.
    """

    def __init__(self, config: pytest.Config, options: Options, stamp: str) -> None:
        self.config = config
        self.options = options
        self.stamp = stamp
        self.runs: dict[str, Run] = {}
        self.cases: dict[str, list[str]] = {}
        self.failures: list[str | None] = []
        self._baselines: dict[str, tuple[Path, Baseline | BaselineError]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note why an item failed; None where it was no verdict (pytest calls this, on xdist's controller too)."""
        if report.failed:
            status = dict(report.user_properties).get(STATUS)
            self.failures.append(None if status is None else str(status))

    def folder(self, tier: str) -> Path:
        """Where the run of a tier lies."""
        return self.options.output / f"{self.stamp}-{tier}"

    def baseline(self, tier: str) -> "tuple[Path, Baseline | BaselineError]":
        """File of the tier's baseline, and the baseline or why it cannot be had: cases are measured even then."""
        if tier not in self._baselines:
            from btlib.plugin.options import apply
            from btlib.plugin.run import baseline_path, load_baseline
            from btlib.protocol import TIERS

            path = baseline_path(apply(self.options, TIERS[tier]).baseline, self.config.rootpath)
            self._baselines[tier] = path, load_baseline(path)
        return self._baselines[tier]

    def chosen(self) -> "dict[str, Case]":
        """The cases to measure, by name: those of `--bt-case`, else all that are registered."""
        from btlib.cases import load_case, load_cases

        if self.options.case:
            return {found.name: found for found in map(load_case, self.options.case)}
        known = load_cases()
        return {name: known[name] for name in known}

    def metrics(self, tier: str, case: "Case") -> list[str]:
        """What a case is held to: the metrics it declares, and those that the baseline has a margin for."""
        from btlib.errors import BtlibError

        _, baseline = self.baseline(tier)
        gated = [] if isinstance(baseline, BtlibError) else baseline.gated(case.name)
        return list(dict.fromkeys([*case.metrics, *gated]))

    def run(self, tier: str) -> "Run":
        """The run of a tier, opened when it is first asked for."""
        if tier not in self.runs:
            from btlib.plugin.run import open_run

            with self.speaking():
                self.runs[tier] = open_run(tier, self, self.cases.get(tier, []))
        return self.runs[tier]

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

    def speaking(self) -> AbstractContextManager[object]:
        """While it lasts, output goes to the terminal instead of being captured, if a person is watching."""
        return self._uncaptured() if self.live else nullcontext()

    def _uncaptured(self) -> AbstractContextManager[object]:
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()


SESSION: pytest.StashKey[Session] = pytest.StashKey()


def new_stamp(output: Path) -> str:
    """A name for run folders that none has yet: the time of day."""
    base = f"{datetime.now():%Y-%m-%d_%H%M%S}"
    return next(name for name in _names(base) if not any(output.glob(f"{name}-*")))


def _names(base: str) -> Iterator[str]:
    yield base
    count = 2
    while True:
        yield f"{base}.{count}"
        count += 1


@contextmanager
def as_usage_error() -> Iterator[None]:
    """A deliberate error before the first item is the user's to mend: told without a traceback."""
    from btlib.errors import BtlibError

    try:
        yield
    except BtlibError as error:
        raise pytest.UsageError(str(error)) from error


Say = Callable[[str], None]
