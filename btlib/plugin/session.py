"""What one pytest session shares: options, one run for each tier, the folder the runs lie in."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from btlib.plugin import gpus
from btlib.plugin import items as its
from btlib.plugin.reports import shortened, verdict_of
from btlib.plugin.terminal import Terminal

if TYPE_CHECKING:
    from btlib.cases import Case
    from btlib.errors import BaselineError, BtlibError
    from btlib.gate import Baseline
    from btlib.options import RunOptions
    from btlib.plugin.run import Run

_HINT = (
    "register one with @case in a file that the tests import, mark the test "
    '@pytest.mark.btlib_cases("mine.py::mine"), or give --bt-case mine.py::mine'
)


class Session:
    """The benchmark side of a pytest session: its runs and collected cases by tier, and why items failed so far.

    Args:
        config: Of the session.
        options: What the user asked for.
        stamp: Name shared by the run folders of this session, its xdist workers included.
    """

    def __init__(self, config: pytest.Config, options: "RunOptions", stamp: str) -> None:
        self.began = time.perf_counter()
        self.terminal = Terminal(config)
        self.options = options
        self.stamp = stamp
        self.runs: dict[str, Run] = {}
        self.cases: dict[str, dict[str, frozenset[str]]] = {}
        self.failures: list[str | None] = []
        self.interrupted = False
        self._baselines: dict[str, tuple[Path, Baseline | BaselineError]] = {}
        self._unopened: dict[str, BtlibError] = {}
        self._without_case: dict[str, str] = {}
        self._errors: dict[str, str] = {}

    def pytest_keyboard_interrupt(self) -> None:
        """Note that Ctrl-C, or a signal that stands for it, ended the session."""
        self.interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note why an item failed (pytest calls this on xdist's controller too); a case's error is printed once."""
        if report.failed:
            self.failures.append(verdict_of(report))
            shortened(report, self._errors)

    def baseline(self, tier: str) -> "tuple[Path, Baseline | BaselineError]":
        """File of the tier's baseline, and the baseline or why it cannot be had: cases are measured even then."""
        if tier not in self._baselines:
            from btlib.api.opening import baseline_of, tier_of

            self._baselines[tier] = baseline_of(tier_of(self.options, tier).baseline, self.options.root)
        return self._baselines[tier]

    def cases_of_option(self) -> "dict[str, Case]":
        """The cases of `--bt-case`, by name."""
        from btlib.cases import load_case

        return {found.name: found for found in map(load_case, self.options.case)}

    def parametrise(self, metafunc: pytest.Metafunc) -> None:
        """Make an item for each tier and case (and metric); of an item without a case its fixture tells why."""
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
        """Why an item that uses a fixture of btlib has no case, and what to do."""
        found = self._without_case.get(item.nodeid)
        if found is not None:
            return found
        if "bt_case" not in getattr(item, "fixturenames", ()):
            return "a test that uses it takes bt_case too. Hint: add the argument bt_case to the test"
        return f"no case is known here. Hint: {_HINT}"

    def open(self, items: Sequence[pytest.Item]) -> None:
        """Open the runs of the collected items.

        Raises:
            UsageError: One cannot be opened; where there are other tests too, only the items of that run fail.
        """
        from btlib.errors import BtlibError, DataError

        for item in filter(its.tier_name, items):
            tier, case = its.place(item)
            cases = self.cases.setdefault(tier, {})
            cases[case] = cases.get(case, frozenset()) | its.measures(item)
        if self.cases:
            gpus.share()  # before a case is prepared: until then nothing of btlib has used one
        for tier in self.cases:
            try:
                self.run(tier)
            except (BtlibError, OSError) as error:
                if all(map(its.tier_name, items)):
                    raise pytest.UsageError(str(error)) from error
                self._unopened[tier] = error if isinstance(error, BtlibError) else DataError(str(error))

    def run(self, tier: str) -> "Run":
        """The run of a tier, opened when it is first asked for."""
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

    def _cases_of(self, definition: Any) -> "dict[str, Case]":
        """The cases that a test measures: of `--bt-case`, else of its marker, else of the suite or the project."""
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
        return {  # whatever was collected before
            name: case
            for name, case in found.items()
            if case.file == definition.path.resolve() or not its.is_test_file(case.file, config)
        }

    def _rows(self, metafunc: pytest.Metafunc, cases: "dict[str, Case]") -> list[Any]:
        """Parameters of the items that are to be there."""
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
        """What a case is held to: the metrics it declares, and those that the baseline has a margin for."""
        from btlib.errors import BaselineError, OptionError

        try:
            _, baseline = self.baseline(tier)
        except OptionError:  # these options are not for this tier: told where its run is opened, if it is to be run
            return list(case.metrics)
        gated = [] if isinstance(baseline, BaselineError) else baseline.gated(case.name)
        return list(dict.fromkeys([*case.metrics, *gated]))


SESSION: pytest.StashKey[Session] = pytest.StashKey()


def _text(spec: object) -> str:
    from btlib.errors import OptionError

    if not isinstance(spec, str):
        raise OptionError(f"a case is named by text, got {spec!r}", where=f"marker {its.CASES_MARKER}", hint=_HINT)
    return spec
