"""Hooks of pytest, in the order in which pytest calls them. They do nothing in sessions without items of btlib."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from pluggy import PluginValidationError

from btlib.interruption import interrupt_on_sigterm
from btlib.paths import new_stamp
from btlib.plugin import gpus, options
from btlib.plugin.items import grouped, parametrised, register_markers, require_known_markers, tier_name, uses
from btlib.plugin.options import STATUS
from btlib.plugin.reports import ENDED, ERROR_OF, RAISED, summarised, taken
from btlib.plugin.session import SESSION, Session
from btlib.plugin.terminal import as_usage_error, how_to_continue


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options `--bt-…`."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and start the session's shared state."""
    register_markers(config)
    if any(Path(str(arg).partition("::")[0]).name in _SUITES for arg in config.args):
        gpus.share()  # before a test module uses CUDA
    worker: dict[str, str] | None = getattr(config, "workerinput", None)
    config.stash[SESSION] = Session(config, options.read(config), worker["bt_stamp"] if worker else new_stamp())
    config.pluginmanager.register(config.stash[SESSION], "btlib-session")


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Register the hooks of btlib (`btlib.hooks`) that a conftest.py implements; it cannot declare options.

    Raises:
        UsageError: It declares options, or a hook has wrong arguments.
    """
    if any(name.startswith("btlib_") for name in dir(plugin)) and isinstance(plugin, ModuleType):
        from btlib import hooks

        if hooks.manager().is_registered(plugin):
            return
        place = getattr(plugin, "__file__", None)  # there may be several files conftest.py
        if hasattr(plugin, "btlib_options"):
            raise pytest.UsageError(
                f"{place}: btlib_options: options are read before this file is imported\n"
                "Hint: declare them in a plug-in with an entry point of the group btlib.plugins"
            )
        try:
            hooks.manager().register(plugin, place)
        except PluginValidationError as error:
            raise pytest.UsageError(f"{place}: {error}") from error
        _HOOKED.setdefault(manager, []).append(plugin)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Unregister the hooks of this session's conftest.py files."""
    for plugin in _HOOKED.pop(config.pluginmanager, []):
        from btlib import hooks

        hooks.manager().unregister(plugin)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the name of the run folders to a worker of pytest-xdist, which writes into them."""
    node.workerinput["bt_stamp"] = node.config.stash[SESSION].stamp


def pytest_sessionstart(session: pytest.Session) -> None:
    """Check the names in the options; a wrong name is an error before anything is collected."""
    ours = session.config.stash[SESSION]
    with as_usage_error():
        if ours.options.case:
            ours.cases_of_option()
        if ours.options.engine:
            from btlib.options import require_engine

            require_engine(ours.options.engine)
        if ours.options.protocol or ours.options.recipe:
            from btlib.api.opening import tier_of

            tier_of(ours.options, "full")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Generate one item for each tier and case (and metric), with the tier's marker; no item without a case."""
    if parametrised(metafunc):
        metafunc.config.stash[SESSION].parametrise(metafunc)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Any:
    """Group the items by case, so that only one model is in memory at a time; other items keep their places."""
    collected = list(items)
    result = yield
    if not items and any(map(tier_name, collected)):
        with as_usage_error():
            require_known_markers(config, collected)
    items[:] = grouped(items)
    return result


@pytest.hookimpl(tryfirst=True)  # the terminal reporter asks for the header in the same hook
def pytest_collection_finish(session: pytest.Session) -> None:
    """Open the runs before the first item, so that wrong options and data are reported at once."""
    if any(session.config.getoption(name, False) for name in _NOTHING_RUNS):
        return
    if session.testsfailed and not session.config.getoption("continue_on_collection_errors"):
        return  # pytest ends here
    ours = session.config.stash[SESSION]
    ours.open(session.items)
    if ours.cases:
        session.config.stash[_END_OF_LISTENING] = interrupt_on_sigterm()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Return lines about the data and the baseline of each run."""
    return [line for run in config.stash[SESSION].runs.values() for line in run.header()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Write the verdicts that failed an item into its report, for xdist's controller and JUnit.

    A verdict that a mark such as xfail or an `except` clause hides is written too.
    """
    report = yield
    raised = taken()
    if uses(item):
        report.user_properties += [(RAISED, status) for status in raised]
        item.stash[ENDED] = report.skipped or (call.when == "call" and not report.failed)
    failure = call.excinfo.value if call.excinfo else None
    for name in (STATUS, ERROR_OF):
        if (value := getattr(failure, name, None)) is not None:
            report.user_properties.append((name, value))
    if hasattr(failure, STATUS):
        summarised(report)
    if tier_name(item) is None:
        return report
    if call.when == "call":
        item.user_properties += _properties(item)  # JUnit reads them from the report of the teardown
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports of each run from its records; with xdist, only the controller does."""
    config = session.config
    if hasattr(config, "workerinput") or SESSION not in config.stash:
        return
    ours = config.stash[SESSION]
    for run in ours.runs.values():
        run.close()
    shared = config.pluginmanager.hasplugin("dsession")
    started = sorted(ours.options.output.glob(f"{ours.stamp}-*/run.json")) if ours.has_runs or shared else []
    raised = ours.raised()
    if started or raised or any(ours.failures):
        from btlib.api.closing import close, exit_status, status_of_checks
        from btlib.api.score_run import TIER

        began = None if shared or len(started) > 1 or not ours.runs else ours.began
        config.stash[_SUMMARIES] = [close(path.parent, began) for path in started]
        missing = any(summary.missing for summary in config.stash[_SUMMARIES])
        status = exit_status(int(session.exitstatus), ours.failures, missing and ours.options.strict, raised)
        checks = [s for s in config.stash[_SUMMARIES] if s.tier == TIER]
        session.exitstatus = status or status_of_checks(checks, strict=ours.options.strict)
    if _END_OF_LISTENING in config.stash:
        config.stash[_END_OF_LISTENING]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the summary of each run, one line per case."""
    for summary in config.stash.get(_SUMMARIES, []):
        terminalreporter.section(summary.title)
        for line in summary.lines:
            terminalreporter.write_line(line)
        if config.stash[SESSION].interrupted:
            terminalreporter.write_line(how_to_continue(config.stash[SESSION].options))


_END_OF_LISTENING: pytest.StashKey[Callable[[], None]] = pytest.StashKey()
_SUMMARIES: pytest.StashKey[list[Any]] = pytest.StashKey()
_HOOKED: WeakKeyDictionary[pytest.PytestPluginManager, list[ModuleType]] = WeakKeyDictionary()
"""Modules that each session registered with btlib's hooks; a nested session unregisters only its own."""

_SUITES = ("benchmarks", "btlib.suite")
_NOTHING_RUNS = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")


def _properties(item: pytest.Item) -> list[tuple[str, object]]:
    """Return the numbers of a quality item's verdict, for JUnit; empty for other items, or if there is no verdict."""
    parameters = item.callspec.params  # type: ignore[attr-defined]  # items of a tier have them
    run = getattr(item, "funcargs", {}).get("bt_run")
    if run is None or "bt_metric" not in parameters:
        return []
    verdict = run.judged.get((parameters["bt_case"], parameters["bt_metric"]))
    names = ("case", "metric", "status", "measured", "baseline", "low", "high", "p", "red")
    found = [] if verdict is None else [(name, getattr(verdict, name)) for name in names]
    power = None if verdict is None else verdict.power
    found += [] if power is None else [("detectable", power.detectable), ("p_pass", power.p_pass)]
    warned = () if verdict is None else verdict.warned
    found += [("subgroups_warned", "; ".join(one.name for one in warned))] if warned else []
    return [(name, value) for name, value in found if value is not None]
