"""Shared state of a pytest session: its options, one run for each tier, and the folder of the runs."""

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from btlib.plugin import gpus
from btlib.plugin import items as its
from btlib.plugin.options import GATE_BASELINE
from btlib.plugin.reports import raised_of, shortened, verdict_of
from btlib.plugin.terminal import Terminal

if TYPE_CHECKING:
    from btlib.api.score_run import ScoreRun
    from btlib.cases import Case
    from btlib.errors import BaselineError, BtlibError
    from btlib.gate import Baseline
    from btlib.options import RunOptions
    from btlib.plugin.run import Run

_HINT = (
    "register a case with @case in a file that the tests import, mark the test "
    '@pytest.mark.btlib_cases("mine.py::mine"), or give --bt-case mine.py::mine'
)


class Session:
    """State of a pytest session: its runs and collected cases by tier, and the verdicts of failed items.

    Args:
        config: Configuration of the session.
        options: Options of the user.
        stamp: Common prefix of the run folders of this session, including its xdist workers.
    """

    def __init__(self, config: pytest.Config, options: "RunOptions", stamp: str) -> None:
        self.began = time.perf_counter()
        self._config = config
        self.terminal = Terminal(config)
        self.options = options
        self.stamp = stamp
        self.runs: dict[str, Run] = {}
        self.cases: dict[str, dict[str, frozenset[str]]] = {}
        self.failures: list[str | None] = []
        self.interrupted = False
        self._raised: dict[str, list[str]] = {}
        self._baselines: dict[str, tuple[Path, Baseline | BaselineError]] = {}
        self._unopened: dict[str, BtlibError] = {}
        self._without_case: dict[str, str] = {}
        self._errors: dict[str, str] = {}

    def pytest_keyboard_interrupt(self) -> None:
        """Record that Ctrl-C or SIGTERM interrupted the session."""
        self.interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record why an item failed, on xdist's controller too; the error of a case is printed only once.

        If another plug-in repeats an item, only its last attempt counts.
        """
        if report.when == "setup":
            self._raised[report.nodeid] = []
        self._raised.setdefault(report.nodeid, []).extend(raised_of(report))
        if report.failed:
            self.failures.append(verdict_of(report))
            shortened(report, self._errors)

    def raised(self) -> list[str]:
        """Return the verdicts that were to fail an item, whether or not a mark or an `except` clause hides them."""
        return [status for found in self._raised.values() for status in found]

    def baseline(self, tier: str) -> "tuple[Path, Baseline | BaselineError]":
        """Return the file of the tier's baseline, and the baseline or the error why it cannot be loaded."""
        if tier not in self._baselines:
            from btlib.api.opening import baseline_of, tier_of

            self._baselines[tier] = baseline_of(tier_of(self.options, tier).baseline, self.options.root)
        return self._baselines[tier]

    def cases_of_option(self) -> "dict[str, Case]":
        """Return the cases of `--bt-case`, by name."""
        from btlib.cases import load_case

        return {found.name: found for found in map(load_case, self.options.case)}

    def parametrise(self, metafunc: pytest.Metafunc) -> None:
        """Create an item for each tier and case (and metric); an item without a case fails with the reason."""
        from btlib.errors import BtlibError

        try:
            cases = self._cases_of(metafunc.definition)
            rows = self._rows(metafunc, cases)
        except BtlibError as error:
            self._without_case[metafunc.definition.nodeid] = str(error)
            return
        if rows:
            names = ["bt_tier", "bt_case", *(["bt_metric"] if its.parametrised(metafunc, "bt_metric") else [])]
            metafunc.parametrize(names, rows, indirect=True)

    def why_no_case(self, item: pytest.Item) -> str:
        """Return why an item that uses a fixture of btlib has no case, with a hint."""
        found = self._without_case.get(item.nodeid)
        if found is not None:
            return found
        if "bt_case" not in getattr(item, "fixturenames", ()):
            return "a test that uses it needs bt_case too. Hint: add the argument bt_case to the test"
        return f"no case is known here. Hint: {_HINT}"

    def open(self, items: Sequence[pytest.Item]) -> None:
        """Open the runs of the collected items.

        Raises:
            UsageError: A run cannot be opened. If the session has other tests too, only the items of that run fail.
        """
        from btlib.errors import BtlibError, DataError

        for item in filter(its.tier_name, items):
            tier, case = its.place(item)
            cases = self.cases.setdefault(tier, {})
            cases[case] = cases.get(case, frozenset()) | its.measures(item)
        if self.options.strict and any(its.uses(item, [its.GATE]) for item in items):
            self.score_run.expect()
        if self.cases:
            gpus.share()  # before a case is prepared, which may use a GPU
        for tier in self.cases:
            try:
                self.run(tier)
            except (BtlibError, OSError) as error:
                if all(map(its.tier_name, items)):
                    raise pytest.UsageError(str(error)) from error
                self._unopened[tier] = error if isinstance(error, BtlibError) else DataError(str(error))

    def run(self, tier: str) -> "Run":
        """Return the run of a tier; the first call opens it."""
        if tier in self._unopened:
            raise self._unopened[tier]
        if tier not in self.runs:
            from btlib.api.opening import open_run, tier_of
            from btlib.plugin.run import Run
            from btlib.runs import RunStore
            from btlib.runs.plan import RunPlan

            store = RunStore(self.options.output / f"{self.stamp}-{tier}")
            plan = RunPlan(tier_of(self.options, tier), self.options, self.cases.get(tier, {}))
            progress = self.terminal.progress()
            with self.terminal.uncaptured():
                self.runs[tier] = open_run(Run, plan, progress, store, self.baseline(tier))
        return self.runs[tier]

    @cached_property
    def score_run(self) -> "ScoreRun":
        """Run of the checks of `bt_gate`; the first check of this process opens it.

        Its baseline is that of the ini option, else of `--bt-baseline`, else "gate"; `--bt-baseline none` always means
        no comparison.
        """
        from btlib.api.opening import baseline_of
        from btlib.api.score_run import TIER, ScoreRun
        from btlib.runs import RunStore

        given = self.options.baseline
        name = "none" if given == "none" else str(self._config.getini(GATE_BASELINE)) or given or TIER
        store = RunStore(self.options.output / f"{self.stamp}-{TIER}")
        return ScoreRun(store, self.options, baseline_of(name, self.options.root))

    @property
    def has_runs(self) -> bool:
        """Whether this process opened a run."""
        return bool(self.runs) or "score_run" in self.__dict__

    def _cases_of(self, definition: Any) -> "dict[str, Case]":
        """Return the cases of a test: those of `--bt-case`, else of its marker, else of the suite or the project."""
        from btlib.cases import load_case, load_cases, project_cases

        mark = definition.get_closest_marker(its.CASES_MARKER)
        if self.options.case:
            return self.cases_of_option()
        if mark is not None:
            named = (load_case(_text(spec), self.options.root) for spec in mark.args)
            return {found.name: found for found in named}
        if its.in_suite(definition):
            known = load_cases()
            return {name: known[name] for name in known}
        found, config = project_cases(self.options.root), definition.config
        return {  # does not depend on what was collected before
            name: case
            for name, case in found.items()
            if case.file == definition.path.resolve() or not its.is_test_file(case.file, config)
        }

    def _rows(self, metafunc: pytest.Metafunc, cases: "dict[str, Case]") -> list[Any]:
        """Return the parameters of the items to create."""
        rows = []
        for tier in its.TIERS:
            for name, case in cases.items():
                by_metric = its.parametrised(metafunc, "bt_metric")
                for metric in [(m,) for m in self._metrics(tier, case)] if by_metric else [()]:
                    row = (tier, name, *metric)
                    if its.wanted(metafunc.config, metafunc.definition, tier, "-".join(row)):
                        marks = its.marks(metafunc.config, tier, metafunc.definition)
                        rows.append(pytest.param(*row, marks=marks, id="-".join(row)))
        return rows

    def _metrics(self, tier: str, case: "Case") -> list[str]:
        """Return the metrics to judge: those that the case declares, and those with a margin in the baseline."""
        from btlib.errors import BaselineError, OptionError

        try:
            _, baseline = self.baseline(tier)
        except OptionError:  # wrong options for this tier: reported when its run is opened
            return list(case.metrics)
        gated = [] if isinstance(baseline, BaselineError) else baseline.gated(case.name)
        return list(dict.fromkeys([*case.metrics, *gated]))


SESSION: pytest.StashKey[Session] = pytest.StashKey()


def _text(spec: object) -> str:
    from btlib.errors import OptionError

    if not isinstance(spec, str):
        raise OptionError(
            f"expected the name of a case as text, got {spec!r}", where=f"marker {its.CASES_MARKER}", hint=_HINT
        )
    return spec
