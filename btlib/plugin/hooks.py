"""The hooks of pytest, in the order in which pytest calls them."""

from typing import Any

import pytest

from btlib.plugin import options
from btlib.plugin.options import STATUS
from btlib.plugin.session import SESSION, Session, new_stamp
from btlib.plugin.terminal import as_usage_error

_TIER = "bt_tier"
_ON_REQUEST = ("statistics", "performance", "controls")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options under `--bt-`."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and start the session's shared state."""
    config.addinivalue_line("markers", "smoke: benchmark on phantoms, minutes on two cores; what runs without -m")
    config.addinivalue_line("markers", "full: benchmark by the thesis's protocol, for a GPU or patience")
    config.addinivalue_line("markers", "performance: the tables of docs/performance.md, measured on this machine")
    config.addinivalue_line("markers", "controls: what a model scores that cannot have learned anything of tumours")
    config.addinivalue_line("markers", "statistics: simulations that show what the gate's statistics are worth")
    read = options.read(config)
    worker: dict[str, str] | None = getattr(config, "workerinput", None)
    config.stash[SESSION] = Session(config, read, worker["bt_stamp"] if worker else new_stamp(read.output))
    config.pluginmanager.register(config.stash[SESSION], "btlib-session")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers of pytest-xdist write into the run folder of their controller."""
    node.workerinput["bt_stamp"] = node.config.stash[SESSION].stamp


def pytest_sessionstart(session: pytest.Session) -> None:
    """Look up what the user named: a wrong name is told before anything is collected."""
    ours = session.config.stash[SESSION]
    with as_usage_error():
        if ours.options.case:
            ours.chosen()
        if ours.options.protocol or ours.options.recipe:
            options.tier_of(ours.options, "full")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each tier and case (and metric), under the tier's marker."""
    if "bt_case" not in metafunc.fixturenames:
        return
    from btlib.protocol import TIERS

    ours = metafunc.config.stash[SESSION]
    by_metric = "bt_metric" in metafunc.fixturenames
    cases = ours.chosen()
    rows = [
        pytest.param(
            tier,
            name,
            *metric,
            marks=getattr(pytest.mark, tier),
            id="-".join((tier, name, *metric)),
        )
        for tier in TIERS
        for name in cases
        for metric in ([(m,) for m in ours.metrics(tier, cases[name])] if by_metric else [()])
    ]
    names = ["bt_tier", "bt_case", *(["bt_metric"] if by_metric else [])]
    metafunc.parametrize(names, rows, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `-m`, only smoke runs. All items of a case stand together, so that one model is held at a time."""
    if not any("::" in arg for arg in config.args):
        asked = config.getoption("markexpr")
        left_out = [item for item in items if not _wanted(item, asked)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if _wanted(item, asked)]
    order: dict[tuple[str, str], int] = {}
    for item in items:
        if _tier(item):
            order.setdefault(_place(item), len(order) + 1)
    items.sort(key=lambda item: order[_place(item)] if _tier(item) else 0)


@pytest.hookimpl(tryfirst=True)  # the terminal reporter asks for the header in the same hook
def pytest_collection_finish(session: pytest.Session) -> None:
    """Open the runs before the first item: bad options and bad data are told at once."""
    if session.config.getoption("collectonly"):
        return
    ours = session.config.stash[SESSION]
    for item in filter(_tier, session.items):
        tier, case = _place(item)
        cases = ours.cases.setdefault(tier, [])
        if case not in cases:
            cases.append(case)
    with as_usage_error():
        for tier in ours.cases:
            ours.run(tier)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say on what is measured, and against what."""
    return [line for run in config.stash[SESSION].runs.values() for line in run.header()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Write the verdict that failed an item into its report, where xdist's controller and JUnit find it."""
    report = yield
    status = getattr(call.excinfo.value, STATUS, None) if call.excinfo else None
    if status is not None:
        report.user_properties.append((STATUS, status))
    if call.when == "call":
        item.user_properties += _properties(item)  # JUnit takes them from the report of the teardown
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports of each run from its records; xdist workers leave that to their controller."""
    config = session.config
    if hasattr(config, "workerinput") or SESSION not in config.stash:
        return
    ours = config.stash[SESSION]
    for run in ours.runs.values():
        run.close()
    started = sorted(ours.options.output.glob(f"{ours.stamp}-*/run.json"))
    if started:
        from btlib.plugin.closing import close, exit_status

        shared = len(started) > 1 or config.pluginmanager.hasplugin("dsession")
        config.stash[_SUMMARIES] = [close(path.parent, None if shared else ours.began) for path in started]
        missing = any(summary.missing for summary in config.stash[_SUMMARIES])
        session.exitstatus = exit_status(int(session.exitstatus), ours.failures, missing and ours.options.strict)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Every case in a line."""
    for summary in config.stash.get(_SUMMARIES, []):
        terminalreporter.section(summary.title)
        for line in summary.lines:
            terminalreporter.write_line(line)


_SUMMARIES: pytest.StashKey[list[Any]] = pytest.StashKey()


def _tier(item: pytest.Item) -> str | None:
    """The tier of a benchmark item; None for any other."""
    spec = getattr(item, "callspec", None)
    return None if spec is None else spec.params.get(_TIER)


def _properties(item: pytest.Item) -> list[tuple[str, object]]:
    """The numbers of a quality item's verdict, for JUnit; none for other items, or where it did not get that far."""
    spec, run = getattr(item, "callspec", None), getattr(item, "funcargs", {}).get("bt_run")
    if spec is None or run is None or "bt_metric" not in spec.params:
        return []
    verdict = run.judged.get((spec.params["bt_case"], spec.params["bt_metric"]))
    names = ("case", "metric", "status", "measured", "baseline", "low", "high")
    found = [] if verdict is None else [(name, getattr(verdict, name)) for name in names]
    return [(name, value) for name, value in found if value is not None]


def _wanted(item: pytest.Item, asked: str) -> bool:
    """Whether an item was asked for: by the names of all its markers on request, and of a tier that is not smoke.

    So `-m full` is the suite of that tier and no more; `-m "full and controls"` are the controls that belong to it.
    """
    if any(item.get_closest_marker(name) and name not in asked for name in _ON_REQUEST):
        return False
    return bool(asked) or _tier(item) in (None, "smoke")


def _place(item: pytest.Item) -> tuple[str, str]:
    params = item.callspec.params  # type: ignore[attr-defined]  # only items of a tier get here, and those have one
    return params[_TIER], params["bt_case"]
