"""What btlib does in each hook of pytest, and that it does nothing where there is nothing of its own."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from btlib import hooks as btlib_hooks
from btlib.api import closing, opening
from btlib.api.closing import Summary
from btlib.errors import BtlibError
from btlib.gate import Verdict
from btlib.gate.judgement import Judgement
from btlib.gate.verdict import COULD_NOT_JUDGE
from btlib.options import RunOptions
from btlib.plugin import fixtures, gpus, hooks, options
from btlib.plugin.options import STATUS
from btlib.plugin.reports import ERROR_OF, fail
from btlib.plugin.session import SESSION, Session


@pytest.fixture
def started(parse: Callable[..., RunOptions], tmp_path: Path) -> Callable[..., Any]:
    """A pytest session in which btlib's part has begun."""

    def start(*args: str, workers: bool = False, status: int = 0, testsfailed: int = 0, **given: bool) -> Any:
        plugins = SimpleNamespace(get_plugin=lambda name: None, hasplugin=lambda name: workers and name == "dsession")
        config: Any = SimpleNamespace(
            pluginmanager=plugins, stash={}, getoption=lambda name, default=None: given.get(name, default)
        )
        config.stash[SESSION] = Session(config, parse(*args), "now")
        return SimpleNamespace(config=config, exitstatus=status, testsfailed=testsfailed, items=["an item"])

    return start


@pytest.mark.parametrize(
    ("given", "testsfailed", "opens"),
    [
        ({}, 0, True),
        *(({name: True}, 0, False) for name in ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")),
        ({}, 1, False),
        ({"continue_on_collection_errors": True}, 1, True),
        ({"collectonly": True, "continue_on_collection_errors": True}, 1, False),
    ],
)
def test_runs_are_opened_where_items_will_run(
    started: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, given: dict[str, bool], testsfailed: int, opens: bool
) -> None:
    found = Mock()
    monkeypatch.setattr(Session, "open", found)
    hooks.pytest_collection_finish(started(testsfailed=testsfailed, **given))
    assert found.call_args_list == ([((["an item"],),)] if opens else [])


def test_a_name_that_nobody_knows_ends_the_session_at_once(
    started: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for args, told in (
        (("--bt-protocol=cpu129",), "unknown protocol 'cpu129'"),
        (("--bt-recipe=moderm",), "unknown recipe 'moderm'"),
        (("--bt-engine=eagre",), "unknown engine 'eagre'"),
        (("--bt-case=nowhere.py::x",), "the file does not exist"),
    ):
        with pytest.raises(pytest.UsageError, match=told):
            hooks.pytest_sessionstart(started(*args))
    looked_up = Mock()
    monkeypatch.setattr(opening, "tier_of", looked_up)
    hooks.pytest_sessionstart(started())
    looked_up.assert_not_called()


def test_workers_write_into_the_folder_of_their_controller(
    started: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, parse: Callable[..., RunOptions]
) -> None:
    node = SimpleNamespace(config=started().config, workerinput={})
    hooks.pytest_configure_node(node)
    assert node.workerinput == {"bt_stamp": "now"}
    given = parse()
    monkeypatch.setattr(options, "read", lambda config: given)
    monkeypatch.setattr(hooks, "new_stamp", lambda: "new")
    for worker, stamp in ((node.workerinput, "now"), (None, "new")):
        config: Any = SimpleNamespace(args=[], stash={}, pluginmanager=Mock(), addinivalue_line=Mock())
        if worker is not None:
            config.workerinput = worker
        hooks.pytest_configure(config)
        assert config.stash[SESSION].stamp == stamp
        config.pluginmanager.register.assert_called_once_with(config.stash[SESSION], "btlib-session")
        assert config.addinivalue_line.call_count == 4


@pytest.mark.parametrize(
    ("args", "shares"),
    [
        (["benchmarks"], True),
        (["some/benchmarks::x"], True),
        (["tests", "btlib.suite"], True),
        (["tests"], False),
        (["benchmarks/test_a.py"], False),
        ([], False),
    ],
)
def test_gpus_are_shared_before_modules_of_a_suite_are_imported(
    monkeypatch: pytest.MonkeyPatch, parse: Callable[..., RunOptions], args: list[str], shares: bool
) -> None:
    share, given = Mock(), parse()
    monkeypatch.setattr(gpus, "share", share)
    monkeypatch.setattr(options, "read", lambda config: given)
    hooks.pytest_configure(SimpleNamespace(args=args, stash={}, pluginmanager=Mock(), addinivalue_line=Mock()))  # type: ignore[arg-type]
    assert share.called is shares


HOOKS = """
from btlib.hooks import hookimpl

btlib_version = 3

def btlib_run_judged(store):
    raise AssertionError("not marked: a helper of the user's own")

@hookimpl
def btlib_record_written(record):
    told.append(record)

told = []
"""


def module_of(text: str, name: str = "conftest") -> ModuleType:
    found = ModuleType(name)
    exec(text, found.__dict__)
    return found


class Manager:
    """As much of pytest's plugin manager as is looked at."""


def test_hooks_of_a_conftest_are_known_until_its_session_ends() -> None:
    ours, plain, thing = module_of(HOOKS), module_of("def pytest_x(): pass"), SimpleNamespace(btlib_x=1)
    session, inner = Manager(), Manager()
    before = set(btlib_hooks.manager().get_plugins())
    for plugin in (ours, plain, thing):
        hooks.pytest_plugin_registered(plugin, session)  # type: ignore[arg-type]
    hooks.pytest_plugin_registered(ours, inner)  # type: ignore[arg-type]
    hooks.pytest_unconfigure(SimpleNamespace(pluginmanager=inner))  # type: ignore[arg-type]
    try:
        assert set(btlib_hooks.manager().get_plugins()) == before | {ours}, "a session within another forgets its own"
        btlib_hooks.notify("btlib_record_written", store=None, record="a record")
        assert ours.told == ["a record"]
        btlib_hooks.notify("btlib_run_judged", store=None, judgement=None)
    finally:
        hooks.pytest_unconfigure(SimpleNamespace(pluginmanager=session))  # type: ignore[arg-type]
    assert set(btlib_hooks.manager().get_plugins()) == before
    btlib_hooks.notify("btlib_record_written", store=None, record="another")
    assert ours.told == ["a record"]


def after(hook: Any, result: object) -> Any:
    """What a wrapper returns where the hooks inside it return this."""
    next(hook)
    with pytest.raises(StopIteration) as end:
        hook.send(result)
    return end.value.value


def benchmark(name: str, **more: Any) -> Any:
    """A benchmark item of the smoke tier."""
    params = {"bt_tier": "smoke", "bt_case": "A", **more}
    return SimpleNamespace(
        name=name,
        callspec=SimpleNamespace(params=params),
        get_closest_marker=lambda name: name,
        iter_markers=lambda: [],
        user_properties=[],
        funcargs={},
    )


def test_items_are_grouped_after_others_have_chosen_and_an_unknown_marker_is_refused_where_none_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hooks, "grouped", lambda items: items[::-1])
    check = Mock(side_effect=BtlibError("unknown marker"))
    monkeypatch.setattr(hooks, "require_known_markers", check)
    config: Any = object()
    items = [benchmark("a"), benchmark("b")]
    assert after(hooks.pytest_collection_modifyitems(config, items), "result") == "result"
    assert [item.name for item in items] == ["b", "a"]
    hook = hooks.pytest_collection_modifyitems(config, items)
    next(hook)
    collected = list(items)
    items.clear()
    with pytest.raises(pytest.UsageError, match="unknown marker"):
        hook.send(None)
    check.assert_called_once_with(config, collected)
    plain = [SimpleNamespace(name="plain")]
    hook = hooks.pytest_collection_modifyitems(config, plain)  # type: ignore[arg-type]
    next(hook)
    plain.clear()
    with pytest.raises(StopIteration):
        hook.send(None)
    assert check.call_count == 1, "in a session without benchmarks it is pytest's own affair"


def failure(status: str, error_of: str | None) -> Any:
    with pytest.raises(pytest.fail.Exception) as caught:
        fail("case A: REGRESSED\n  why", status, error_of)
    return SimpleNamespace(value=caught.value)


@pytest.mark.parametrize("ours", [True, False])
def test_the_report_of_a_failed_item_names_verdict_and_case(ours: bool) -> None:
    item: Any = benchmark("a") if ours else SimpleNamespace()
    for error_of, properties in (
        ("A (smoke)", [(STATUS, "error"), (ERROR_OF, "A (smoke)")]),
        (None, [(STATUS, "error")]),
    ):
        crash = SimpleNamespace(message="first\nsecond")
        report = SimpleNamespace(user_properties=[], longrepr=SimpleNamespace(reprcrash=crash))
        call: Any = SimpleNamespace(excinfo=failure("error", error_of), when="setup")
        assert after(hooks.pytest_runtest_makereport(item, call), report) is report
        assert (report.user_properties, crash.message) == (properties, "first")
    crash = SimpleNamespace(message="first\nsecond")
    report = SimpleNamespace(user_properties=[], longrepr=SimpleNamespace(reprcrash=crash))
    call = SimpleNamespace(excinfo=SimpleNamespace(value=AssertionError("first\nsecond")), when="call")
    assert after(hooks.pytest_runtest_makereport(item, call), report) is report
    assert (report.user_properties, crash.message) == ([], "first\nsecond"), "a failure of another kind is left alone"


def test_the_numbers_of_a_verdict_are_noted_once() -> None:
    verdict = Verdict("A", "hd95", "regressed", measured=9.0, baseline=0.0, difference=9.0, low=0.0, high=12.5)
    run = SimpleNamespace(
        judged={("A", "hd95"): verdict, ("B", "hd95"): None, ("A", "dice"): Verdict("A", "dice", "error")}
    )
    noted = {
        "hd95": [
            *(("case", "A"), ("metric", "hd95"), ("status", "regressed"), ("measured", 9.0), ("baseline", 0.0)),
            *(("low", 0.0), ("high", 12.5)),
        ],
        "dice": [("case", "A"), ("metric", "dice"), ("status", "error")],
        "iou": [],
    }
    for metric, properties in noted.items():
        item = benchmark("a", bt_metric=metric)
        item.funcargs = {"bt_run": run}
        for when in ("setup", "call", "teardown"):
            call: Any = SimpleNamespace(excinfo=None, when=when)
            after(hooks.pytest_runtest_makereport(item, call), SimpleNamespace())
        assert item.user_properties == properties
    for item in (benchmark("speed"), benchmark("not opened", bt_metric="dice")):
        call = SimpleNamespace(excinfo=None, when="call")
        after(hooks.pytest_runtest_makereport(item, call), SimpleNamespace())
        assert item.user_properties == []


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """In place of the summary of a run: cases of the tier full were not measured."""
    found = Mock(
        side_effect=lambda folder, began: Summary(
            "smoke",
            folder.name,
            ["line"],
            ("B",) if "full" in folder.name else (),
            Judgement(baseline=None, against=None, strict=False),
        )
    )
    monkeypatch.setattr(closing, "close", found)
    return found


def left(session: Any, *tiers: str) -> list[Path]:
    """Folders of runs that this session left."""
    folders = [session.config.stash[SESSION].options.output / f"now-{tier}" for tier in tiers]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "run.json").touch()
    other = session.config.stash[SESSION].options.output / "before-smoke"
    other.mkdir(parents=True, exist_ok=True)
    (other / "run.json").touch()
    return folders


def test_each_run_of_the_session_is_closed(started: Callable[..., Any], closed: Mock) -> None:
    session = started()
    ours = session.config.stash[SESSION]
    ours.runs = {"smoke": Mock(), "full": Mock()}
    smoke, full = left(session, "smoke", "full")
    hooks.pytest_sessionfinish(session)
    assert [call.args for call in closed.call_args_list] == [(full, None), (smoke, None)], "their time was shared"
    for run in ours.runs.values():
        run.close.assert_called_once_with()
    terminal = Mock()
    hooks.pytest_terminal_summary(terminal, session.config)
    assert [call.args for call in terminal.section.call_args_list] == [("now-full",), ("now-smoke",)]
    assert terminal.write_line.call_count == 2
    assert session.exitstatus == 0, "a case that was not measured is no failure unless the user is strict"


@pytest.mark.parametrize(
    ("args", "tier", "status", "failures", "expected"),
    [
        ((), "smoke", 0, [], 0),
        (("--bt-strict",), "smoke", 0, [], 0),
        ((), "full", 0, [], 0),
        (("--bt-strict",), "full", 0, [], COULD_NOT_JUDGE),
        (("--bt-strict",), "full", 1, ["regressed"], 1),
        ((), "smoke", 1, ["error"], COULD_NOT_JUDGE),
        ((), "smoke", 1, ["error", None], 1),
    ],
)
def test_a_case_that_was_never_run_fails_a_strict_session(
    started: Callable[..., Any],
    closed: Mock,
    args: tuple[str, ...],
    tier: str,
    status: int,
    failures: list[str | None],
    expected: int,
) -> None:
    session = started(*args, status=status)
    ours = session.config.stash[SESSION]
    ours.runs, ours.failures = {tier: Mock()}, failures
    (folder,) = left(session, tier)
    hooks.pytest_sessionfinish(session)
    closed.assert_called_once_with(folder, ours.began)
    assert session.exitstatus == expected


def test_the_controller_closes_what_its_workers_left_and_they_do_not(started: Callable[..., Any], closed: Mock) -> None:
    session = started(workers=True)
    (folder,) = left(session, "smoke")
    hooks.pytest_sessionfinish(session)
    closed.assert_called_once_with(folder, None)
    worker = started()
    worker.config.workerinput = {}
    worker.config.stash[SESSION].runs = {"smoke": Mock()}
    hooks.pytest_sessionfinish(worker)
    hooks.pytest_sessionfinish(SimpleNamespace(config=SimpleNamespace(stash={})))  # type: ignore[arg-type]
    assert closed.call_count == 1


def test_a_session_that_opened_no_run_keeps_its_exit_code_unless_a_benchmark_failed(
    started: Callable[..., Any], closed: Mock
) -> None:
    for failures, expected in (([], 1), ([None], 1), (["error"], COULD_NOT_JUDGE), (["error", None], 1)):
        session = started(status=1)
        session.config.stash[SESSION].failures = failures
        left_before = left(session)
        hooks.pytest_sessionfinish(session)
        assert (session.exitstatus, left_before) == (expected, [])
    closed.assert_not_called()
    terminal = Mock()
    hooks.pytest_terminal_summary(terminal, SimpleNamespace(stash={}))  # type: ignore[arg-type]
    terminal.section.assert_not_called()


def test_the_header_is_of_every_run(started: Callable[..., Any]) -> None:
    session = started()
    runs = {tier: SimpleNamespace(header=lambda tier=tier: [tier, "more"]) for tier in ("smoke", "full")}
    session.config.stash[SESSION].runs = runs
    assert hooks.pytest_report_collectionfinish(session.config) == ["smoke", "more", "full", "more"]


def function_of(fixture: Any) -> Any:
    """What a fixture decorates, in any version of pytest."""
    return getattr(fixture, "_get_wrapped_function", lambda: inspect.unwrap(fixture))()


def test_the_fixture_of_the_run_is_that_of_its_tier(
    started: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bt_run = function_of(fixtures.bt_run)
    request = SimpleNamespace(config=started().config)
    monkeypatch.setattr(Session, "run", lambda self, tier: f"run of {tier}")
    assert bt_run(request, "full") == "run of full"
    monkeypatch.setattr(Session, "run", Mock(side_effect=BtlibError("no samples")))
    with pytest.raises(pytest.fail.Exception, match=r"^no samples$") as caught:
        bt_run(request, "full")
    assert getattr(caught.value, STATUS) == "error"


@pytest.mark.parametrize("name", ["bt_tier", "bt_case", "bt_metric"])
def test_a_fixture_without_a_parameter_tells_why(
    started: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fixture = function_of(getattr(fixtures, name))
    more = [None] * (fixture.__code__.co_argcount - 1)
    request = SimpleNamespace(config=started().config, node="node", fixturename=name)
    monkeypatch.setattr(Session, "why_no_case", lambda self, node: f"why of {node}")
    with pytest.raises(pytest.fail.Exception, match=f"^{name}: why of node$") as caught:
        fixture(request, *more)
    assert getattr(caught.value, STATUS) == "error"
    request.param = "A"
    assert fixture(request, *more) == "A"
