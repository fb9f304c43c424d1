"""What one pytest session shares: options, one run for each tier, the folder the runs lie in."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from btlib.plugin.options import STATUS, Options
from btlib.plugin.terminal import Terminal

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
        self.began = time.perf_counter()
        self.terminal = Terminal(config)
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

    def baseline(self, tier: str) -> "tuple[Path, Baseline | BaselineError]":
        """File of the tier's baseline, and the baseline or why it cannot be had: cases are measured even then."""
        if tier not in self._baselines:
            from btlib.baselines.held import load_baseline
            from btlib.plugin.held import baseline_path
            from btlib.plugin.options import tier_of

            path = baseline_path(tier_of(self.options, tier).baseline, self.options.root)
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
            from btlib.plugin.opening import open_run
            from btlib.plugin.options import tier_of
            from btlib.runs import RunFolder

            folder = RunFolder(self.options.output / f"{self.stamp}-{tier}")
            with self.terminal.speaking():
                self.runs[tier] = open_run(
                    tier_of(self.options, tier),
                    self.options,
                    self.terminal,
                    folder,
                    self.baseline(tier),
                    self.cases.get(tier, []),
                )
        return self.runs[tier]


SESSION: pytest.StashKey[Session] = pytest.StashKey()


def new_stamp(output: Path) -> str:
    """A name for run folders that none has yet: the time, to the microsecond lest two sessions take one folder."""
    base = f"{datetime.now():%Y-%m-%d_%H%M%S.%f}"
    return next(name for name in _names(base) if not any(output.glob(f"{name}-*")))


def _names(base: str) -> Iterator[str]:
    yield base
    count = 2
    while True:
        yield f"{base}.{count}"
        count += 1
