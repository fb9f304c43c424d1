"""What a session shares: baselines and runs by tier, the cases of each test, and why its items failed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from btlib import cases as cases_room
from btlib.api import opening
from btlib.cases import Case
from btlib.errors import BaselineError, BtlibError, DataError
from btlib.gate.loading import NONE
from btlib.options import RunOptions
from btlib.paths import new_stamp
from btlib.plugin import gpus
from btlib.plugin import items as its
from btlib.plugin.options import STATUS
from btlib.plugin.reports import ERROR_OF
from btlib.plugin.run import Run
from btlib.plugin.session import Session
from btlib.protocol import TIERS
from btlib.runs import RunStore

Begin = Callable[..., Session]


@pytest.fixture
def begin(parse: Callable[..., RunOptions], monkeypatch: pytest.MonkeyPatch) -> Begin:
    """A session with these options."""
    monkeypatch.setattr(gpus, "share", Mock())

    def start(*args: str) -> Session:
        config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: None))
        return Session(config, parse(*args), "now")

    return start


def item(tier: str, case: str, *measures: str) -> Any:
    """A benchmark item that wants something to be measured."""
    params = {"bt_tier": tier, "bt_case": case}
    return SimpleNamespace(
        callspec=SimpleNamespace(params=params),
        get_closest_marker=lambda name: name,
        iter_markers=lambda name: [SimpleNamespace(args=measures)],
    )


OTHER: Any = SimpleNamespace()
"""A test that is none of btlib's."""


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """In place of opening a run."""
    found = Mock(side_effect=lambda kind, plan, *more: SimpleNamespace(plan=plan))
    monkeypatch.setattr(opening, "open_run", found)
    return found


def test_the_runs_of_all_collected_items_are_opened_before_the_first(begin: Begin, opens: Mock, tmp_path: Path) -> None:
    session = begin()
    order = [
        *(item("full", "B"), OTHER, item("smoke", "B"), item("smoke", "A", "inference")),
        *(item("smoke", "B", "mine", "explanation"), item("smoke", "B", "mine")),
    ]
    session.open(order)
    assert session.cases == {
        "full": {"B": frozenset()},
        "smoke": {"B": {"mine", "explanation"}, "A": {"inference"}},
    }, "what any item of a case wants is measured of it"
    assert [*session.cases["smoke"]] == ["B", "A"], "in the order in which they were collected"
    assert list(session.runs) == ["full", "smoke"]
    for call, tier in zip(opens.call_args_list, ("full", "smoke"), strict=True):
        kind, plan, progress, store, (path, baseline) = call.args
        assert (kind, call.kwargs) == (Run, {})
        assert (plan.tier.name, plan.options, plan.cases) == (tier, session.options, session.cases[tier])
        assert (progress.report, progress.progress_bars) == (session.terminal.report, False)
        assert store == RunStore(tmp_path / "reports" / f"now-{tier}")
        assert path.stem == TIERS[tier].baseline
        assert baseline is session.baseline(tier)[1]
    assert session.run("smoke") is session.runs["smoke"]
    assert opens.call_count == 2, "each is opened once"
    share: Any = gpus.share
    share.assert_called_once_with()


def test_a_session_without_benchmarks_opens_nothing(begin: Begin, opens: Mock) -> None:
    session = begin()
    session.open([OTHER, OTHER])
    assert (session.runs, session.cases) == ({}, {})
    opens.assert_not_called()
    gpus.share.assert_not_called()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "kind"), [(DataError("no samples"), DataError), (BtlibError("x"), BtlibError), (OSError("x"), DataError)]
)
def test_a_run_that_cannot_be_opened_fails_its_own_items(
    begin: Begin, opens: Mock, error: Exception, kind: type
) -> None:
    opens.side_effect = error
    session = begin("--bt-baseline=none")
    session.open([item("smoke", "A"), OTHER])
    for _ in range(2):
        with pytest.raises(kind, match=str(error)) as caught:
            session.run("smoke")
        assert type(caught.value) is kind
    opens.assert_called_once()
    with pytest.raises(pytest.UsageError, match=str(error)):
        begin("--bt-baseline=none").open([item("smoke", "A"), item("smoke", "B")])


def test_a_fault_of_btlib_itself_comes_through(begin: Begin, opens: Mock) -> None:
    opens.side_effect = ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        begin("--bt-baseline=none").open([item("smoke", "A"), OTHER])


def test_each_tier_has_its_baseline_read_once(begin: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read = Mock(side_effect=lambda path: f"baseline {path.stem}")
    monkeypatch.setattr(opening, "load_baseline", read)
    session = begin()
    for tier in ("smoke", "full", "smoke"):
        path, baseline = session.baseline(tier)
        assert path.stem == TIERS[tier].baseline
        assert baseline == f"baseline {path.stem}"  # type: ignore[comparison-overlap]
    assert read.call_count == 2
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "smoke.json").touch()
    assert begin().baseline("smoke")[0] == tmp_path / "baselines" / "smoke.json", "the project's own comes first"
    path, _ = begin("--bt-baseline=none").baseline("smoke")
    assert path == NONE
    assert begin("--bt-recipe=modern").baseline("full")[0].stem == "figshare-slice42-modern"


def case(name: str, **more: Any) -> Case:
    return Case(name, "a toy", has_mask=True, has_classes=True, prepare=lambda work: None, **more)  # type: ignore[arg-type, return-value]


class Gates:
    """A baseline with a margin for each of some metrics of a case."""

    def __init__(self, **metrics: list[str]) -> None:
        self.metrics = metrics

    def gated(self, name: str) -> list[str]:
        return self.metrics.get(name, [])


@pytest.mark.parametrize(
    ("baseline", "metrics"),
    [
        (Gates(), ["dice", "accuracy"]),
        (Gates(A=["hd95", "dice"]), ["dice", "accuracy", "hd95"]),
        (Gates(B=["hd95"]), ["dice", "accuracy"]),
        (BaselineError("damaged"), ["dice", "accuracy"]),
    ],
    ids=["none", "one more", "of another case", "damaged"],
)
@pytest.mark.parametrize("by_metric", [True, False])
def test_an_item_for_each_tier_case_and_metric(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, baseline: Any, metrics: list[str], by_metric: bool
) -> None:
    session = begin()
    session._baselines = {"smoke": (Path("a"), Gates()), "full": (Path("b"), baseline)}  # type: ignore[dict-item]
    monkeypatch.setattr(Session, "_cases_of", lambda self, definition: {"B": case("B"), "A": case("A")})
    monkeypatch.setattr(its, "parametrised", lambda metafunc, name="bt_case": name != "bt_metric" or by_metric)
    monkeypatch.setattr(its, "wanted", lambda config, definition, tier, row: not row.startswith("smoke-B"))
    monkeypatch.setattr(its, "marks", lambda config, tier, definition: [pytest.mark.nightly])
    metafunc = Mock()
    session.parametrise(metafunc)
    names, rows = metafunc.parametrize.call_args.args
    assert metafunc.parametrize.call_args.kwargs == {"indirect": True}
    assert names == ["bt_tier", "bt_case", *(["bt_metric"] if by_metric else [])]
    expected: list[tuple[str, ...]] = [("smoke", "A"), ("full", "B"), ("full", "A")]
    if by_metric:
        of = {"B": ["dice", "accuracy"], "A": metrics}
        if isinstance(baseline, Gates):
            of["B"] = [*of["B"], *baseline.gated("B")]
        expected = [("smoke", "A", metric) for metric in ("dice", "accuracy")]
        expected += [("full", name, metric) for name in "BA" for metric in of[name]]
    assert [row.values for row in rows] == expected
    assert [row.id for row in rows] == ["-".join(row) for row in expected]
    assert all([mark.name for mark in row.marks] == ["nightly"] for row in rows)


@pytest.mark.parametrize("option", ["--bt-protocol=cpu128", "--bt-recipe=modern"])
def test_options_that_do_not_fit_one_tier_leave_the_items_of_another(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Smoke has a protocol of its own: whoever runs it with another is told so, and the full tier has its items."""
    session = begin(option)
    monkeypatch.setattr(Session, "_cases_of", lambda self, definition: {"A": case("A")})
    monkeypatch.setattr(its, "parametrised", lambda metafunc, name="bt_case": True)
    monkeypatch.setattr(its, "wanted", lambda config, definition, tier, row: True)
    monkeypatch.setattr(its, "marks", lambda config, tier, definition: [])
    metafunc = Mock()
    session.parametrise(metafunc)
    _, rows = metafunc.parametrize.call_args.args
    assert [row.values for row in rows[:4]] == [
        (tier, "A", metric) for tier in ("smoke", "full") for metric in ("dice", "accuracy")
    ]
    with pytest.raises(pytest.UsageError, match="the protocol and the recipe of the tier smoke are fixed"):
        session.open([item("smoke", "A")])


def test_without_a_case_there_is_no_item_and_the_fixture_tells_why(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, metafunc = begin(), Mock(definition=SimpleNamespace(nodeid="a.py::it"))
    monkeypatch.setattr(Session, "_cases_of", Mock(side_effect=BtlibError("no such case")))
    session.parametrise(metafunc)
    metafunc.parametrize.assert_not_called()
    asked: Any = SimpleNamespace(nodeid="a.py::it", fixturenames=["bt_case"])
    assert session.why_no_case(asked) == "no such case"
    other: Any = SimpleNamespace(nodeid="a.py::other", fixturenames=["bt_case"])
    assert session.why_no_case(other).startswith("no case is known here. Hint: register a case with @case")
    alone: Any = SimpleNamespace(nodeid="a.py::alone", fixturenames=["bt_run"])
    assert session.why_no_case(alone).startswith("a test that uses it needs bt_case too. Hint: ")


def test_a_test_measures_the_cases_of_the_option_or_its_marker_or_where_it_stands(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {name: case(name) for name in ("B", "A")}
    monkeypatch.setattr(cases_room, "load_cases", lambda: known)
    loaded = Mock(side_effect=lambda spec, folder=None: case(f"{spec} in {folder}"))
    monkeypatch.setattr(cases_room, "load_case", loaded)
    files = {"mine": tmp_path / "test_a.py", "shared": tmp_path / "cases.py", "theirs": tmp_path / "test_b.py"}
    of_project = {name: SimpleNamespace(file=file.resolve()) for name, file in files.items()} | {
        "nowhere": SimpleNamespace(file=None)
    }
    monkeypatch.setattr(cases_room, "project_cases", lambda root: of_project if root == tmp_path else {})
    marks: list[Any] = []
    config = SimpleNamespace(getini=lambda name: ["test_*.py"])
    test: Any = SimpleNamespace(
        get_closest_marker=lambda name: marks[0] if marks and name == "btlib_cases" else None,
        config=config,
        path=files["mine"],
        function=SimpleNamespace(__module__="test_a"),
    )
    assert [*begin()._cases_of(test)] == ["mine", "shared", "nowhere"], "not those of another file of tests"
    test.function.__module__ = "btlib.suite.test_quality"
    assert begin()._cases_of(test) == known
    marks.append(SimpleNamespace(args=("b.py::b", "A")))
    assert [*begin()._cases_of(test)] == [f"b.py::b in {tmp_path}", f"A in {tmp_path}"]
    assert [*begin("--bt-case=y", "--bt-case=x")._cases_of(test)] == ["y in None", "x in None"]
    marks[0] = SimpleNamespace(args=(3,))
    with pytest.raises(BtlibError, match="marker btlib_cases: expected the name of a case as text, got 3"):
        begin()._cases_of(test)


def test_why_items_failed_is_noted_and_the_error_of_a_case_printed_once(begin: Begin) -> None:
    session = begin()
    for nodeid, failed, status, error_of in (
        ("a", True, "error", "A (smoke)"),
        ("b", False, None, None),
        ("c", True, "regressed", None),
        ("d", True, "error", "A (smoke)"),
        ("e", True, None, None),
    ):
        report: Any = SimpleNamespace(
            nodeid=nodeid,
            when="call",
            failed=failed,
            longrepr=nodeid,
            user_properties=[(STATUS, status), (ERROR_OF, error_of)],
        )
        session.pytest_runtest_logreport(report)
        told = "case A (smoke): its error is shown at a"
        assert report.longrepr == (told if nodeid == "d" else nodeid)
    assert session.failures == ["error", "regressed", "error", None]


def test_two_sessions_take_two_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime

    now = [datetime(2026, 3, 4, 5, 6, 7, 89), datetime(2026, 3, 4, 5, 6, 7, 90)]
    monkeypatch.setattr("btlib.paths.datetime", SimpleNamespace(now=lambda: now.pop(0)))
    assert [new_stamp(), new_stamp()] == ["2026-03-04_050607.000089", "2026-03-04_050607.000090"]
