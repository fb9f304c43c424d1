"""Which items are btlib's, which of them are there, and in which order."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from btlib.errors import UnknownNameError
from btlib.plugin import items as its


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("full", True),
        ("", False),
        ("smoke", False),
        ("fuller", False),
        ("not full", False),
        ("not not full", True),
        ("smoke or full", True),
        ("smoke and not full", False),
        ("not smoke and full", True),
        ("not slow or full", True),
        ("not (full)", False),
        ("not (full or slow)", False),
        ("not (slow and not full)", True),
        ("not (not full)", True),
        ("not (slow and (full))", False),
        ("not (slow and not (full))", True),
        ("(not slow) and full", True),
        ("not (slow) and full", True),
        ("(slow or (not full))", False),
        ("((full))", True),
        (")) full", True),
    ],
)
def test_an_expression_names_a_marker_unless_it_leaves_it_out(expression: str, named: bool) -> None:
    assert its.names_marker(expression, ["full", "btlib_full"]) is named


def config(markexpr: str = "", args: tuple[str, ...] = (), root: Path = Path("/project"), **more: Any) -> Any:
    ini = {"markers": ["slow: takes long", "gpu(index): wants one"], "python_files": ["test_*.py", "bench.py"]} | more
    return SimpleNamespace(
        getoption=lambda name: {"markexpr": markexpr}[name],
        getini=lambda name: ini[name],
        addinivalue_line=lambda name, line: ini[name].append(line),
        args=args,
        rootpath=root,
    )


def definition(path: str, of: Any, module: str = "test_bench", name: str = "test_it") -> Any:
    return SimpleNamespace(path=Path(path), config=of, function=SimpleNamespace(__module__=module), name=name)


@pytest.mark.parametrize(
    ("root", "path", "module", "short"),
    [
        ("/project", "/project/benchmarks/test_a.py", "test_a", True),
        ("/project", "/project/benchmarks/deep/test_a.py", "test_a", True),
        ("/project", "/project/deep/benchmarks/test_a.py", "test_a", True),
        ("/project/benchmarks", "/project/benchmarks/test_a.py", "test_a", True),
        ("/project", "/project/tests/test_a.py", "test_a", False),
        ("/project", "/project/benchmarks.py", "test_a", False),
        ("/project", "/elsewhere/benchmarks/test_a.py", "test_a", False),
        ("/benchmarks/project", "/benchmarks/project/test_a.py", "test_a", False),
        ("/project", "/site-packages/btlib/suite/test_a.py", "btlib.suite.test_a", True),
        ("/project", "/project/tests/test_a.py", "btlib.suite_of_mine", False),
    ],
)
def test_short_names_of_tiers_are_for_the_suite_and_folders_of_benchmarks(
    monkeypatch: pytest.MonkeyPatch, root: str, path: str, module: str, short: bool
) -> None:
    monkeypatch.setattr(pytest.mark, "_config", None)  # of this session, which declares other markers
    of = config(root=Path(root))
    test = definition(path, of, module)
    for tier in its.TIERS:
        names = [mark.name for mark in its.marks(of, tier, test)]
        assert names == ([f"btlib_{tier}", tier] if short else [f"btlib_{tier}"])
    declared = [line for line in of.getini("markers") if line.startswith(("smoke", "full"))]
    assert declared == (["smoke: btlib_smoke, in the suite", "full: btlib_full, in the suite"] if short else [])
    its.marks(of, "full", test)
    assert len([line for line in of.getini("markers") if line.startswith("full")]) == short, "declared once"


def test_the_markers_of_btlib_are_declared() -> None:
    of = config()
    its.register_markers(of)
    names = [line.partition(":")[0] for line in of.getini("markers")]
    assert names == [
        "slow",
        "gpu(index)",
        "btlib_smoke",
        "btlib_full",
        "btlib_measures(*measures)",
        "btlib_cases(*cases)",
    ]


@pytest.mark.parametrize(
    ("markexpr", "args", "rows"),
    [
        ("", (), []),
        ("full", (), []),  # a name of the user's own, outside a folder of benchmarks
        ("btlib_full", (), ["A-dice", "AB-dice", "A"]),
        ("not btlib_full", (), []),
        ("", ("tests/test_a.py::test_it[full-A-dice]",), ["A-dice", "A"]),
        ("", ("tests\\test_a.py::Test::test_it[x-full-A-dice-y]",), ["A-dice", "A"]),
        ("", ("test_a.py::test_it[full-A]", "tests"), ["A"]),
        ("", ("tests/test_a.py::test_it[full-AB-dice]",), ["AB-dice"]),
        ("", ("tests/test_a.py::test_it[smoke-A-dice]",), []),
        ("", ("tests/test_a.py::test_it",), []),
        ("", ("tests/test_b.py::test_it[full-A-dice]",), []),
        ("", ("tests/test_a.py::test_other[full-A-dice]",), []),
        ("", ("test_a.py[full-A-dice]",), []),
        ("", ("btlib.suite.test_a::test_it[full-A-dice]",), ["A-dice", "A"]),
    ],
)
def test_the_full_tier_is_there_where_it_is_named(markexpr: str, args: tuple[str, ...], rows: list[str]) -> None:
    of = config(markexpr, args)
    test = definition("/project/tests/test_a.py", of)
    assert [row for row in ("A-dice", "AB-dice", "A") if its.wanted(of, test, "full", f"full-{row}")] == rows
    assert its.wanted(of, test, "smoke", "smoke-A-dice"), "it always is"


def item(name: str, tier: object = None, case: object = None, marker: str | None = None) -> Any:
    """A test item with the parameters of a benchmark, as far as they are given."""
    params = {name: value for name, value in {"bt_tier": tier, "bt_case": case}.items() if value is not None}
    of = {f"btlib_{tier}"} if marker is None else {marker}
    found = SimpleNamespace(name=name, get_closest_marker=lambda name: name if name in of else None)
    if params:
        found.callspec = SimpleNamespace(params=params)
    return found


@pytest.mark.parametrize(
    ("of", "tier"),
    [
        (("smoke", "A"), "smoke"),
        (("full", "A"), "full"),
        (("full", "A", "btlib_smoke"), None),  # parametrised by the user, who did not mark it
        (("full", [1]), "full"),
        (([1], "A"), None),
        (("half", "A"), None),
        (("smoke", None), None),
        ((None, "A"), None),
        ((), None),
    ],
    ids=str,
)
def test_an_item_is_of_a_tier_by_its_parameters_and_its_marker(of: tuple[Any, ...], tier: str | None) -> None:
    assert its.tier_name(item("it", *of)) == tier


def test_items_of_a_case_stand_together_and_others_keep_their_places() -> None:
    order = [
        *(("1", "smoke", "B"), ("x",), ("2", "smoke", "A"), ("3", "full", "B"), ("4", "smoke", "B"), ("y",)),
        *(("5", "full", "B"), ("6", "smoke", "A")),
    ]
    found = its.grouped([item(*of) for of in order])
    assert [one.name for one in found] == ["1", "x", "4", "2", "6", "y", "3", "5"]
    assert its.place(found[0]) == ("smoke", "B")


@pytest.mark.parametrize(
    ("names", "given"),
    [
        ("bt_case", True),
        ("size,bt_case", True),
        ("size, bt_case", True),
        (["size", "bt_case"], True),
        (("bt_case", "size"), True),
        ("bt_cases", False),
        ("size", False),
    ],
)
def test_a_test_gives_the_values_of_a_fixture_itself(names: Any, given: bool) -> None:
    marks = [SimpleNamespace(args=("other", [])), SimpleNamespace(args=(names, []))]
    test: Any = SimpleNamespace(iter_markers=lambda name: marks if name == "parametrize" else [])
    assert its.parametrised_by_the_user(test, "bt_case") is given
    fixture = SimpleNamespace(func=SimpleNamespace(__module__="btlib.plugin.fixtures"))
    foreign = SimpleNamespace(func=test_the_markers_of_btlib_are_declared)
    for fixtures, ours in (((fixture,), True), ((fixture, foreign), False), ((), False)):
        test._fixtureinfo = SimpleNamespace(name2fixturedefs={"bt_case": fixtures})
        metafunc: Any = SimpleNamespace(definition=test)
        assert its.parametrised(metafunc) is (ours and not given)
        assert not its.parametrised(metafunc, "bt_metric")


def test_a_file_of_tests_is_known_by_its_name() -> None:
    found = {name: its.is_test_file(Path("/project") / name, config()) for name in ("test_a.py", "bench.py", "a.py")}
    assert found == {"test_a.py": True, "bench.py": True, "a.py": False}
    assert not its.is_test_file(None, config())


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("slow or not smoke", None),
        ("gpu and btlib_full", None),
        ("gpu(index=1)", None),
        ("not typo", None),
        ("borne", None),
        ("smok", "smok"),
        ("full and (slo or slow)", "slo"),
        ("True and not False or None", None),
    ],
)
def test_a_marker_that_nobody_knows_is_refused(expression: str, unknown: str | None) -> None:
    borne: Any = SimpleNamespace(iter_markers=lambda: [SimpleNamespace(name="borne")])
    of = config(expression)
    its.register_markers(of)
    if unknown is None:
        its.require_known_markers(of, [borne])
    else:
        with pytest.raises(UnknownNameError, match=f"unknown marker '{unknown}'"):
            its.require_known_markers(of, [borne])


def marked(*marks: tuple[str, ...], fixtures: tuple[str, ...] = (), worker: bool = False, **options: Any) -> Any:
    """An item with markers that say what to measure, in a session with options of pytest-benchmark."""
    of = SimpleNamespace(getoption=lambda name, default=None: options.get(name, default))
    if worker:
        of.workerinput = {}
    found = [SimpleNamespace(args=args) for args in marks]
    return SimpleNamespace(
        iter_markers=lambda name: found if name == "btlib_measures" else [], fixturenames=fixtures, config=of
    )


def test_what_to_measure_is_said_by_all_markers_of_an_item() -> None:
    assert its.measures(marked()) == frozenset()
    assert its.measures(marked(("inference",))) == {"inference"}
    assert its.measures(marked(("inference", "mine"), ("explanation",))) == {"inference", "mine", "explanation"}


@pytest.mark.parametrize(
    ("options", "measured"),
    [
        ({}, True),
        ({"benchmark_disable": True}, False),
        ({"benchmark_skip": True}, False),
        ({"dist": "load"}, False),
        ({"dist": "no"}, True),
        ({"worker": True}, False),
        ({"worker": True, "benchmark_enable": True}, True),
        ({"dist": "load", "benchmark_enable": True}, True),
    ],
    ids=str,
)
def test_no_speed_is_measured_where_pytest_benchmark_is_off(options: dict[str, Any], measured: bool) -> None:
    """As pytest-benchmark itself decides: workers share the machine. What is no speed is measured all the same."""
    found = its.measures(marked(("inference",), fixtures=("bt_run", "benchmark"), **options))
    assert found == ({"inference"} if measured else frozenset())
    assert its.measures(marked(("explanation",), fixtures=("bt_run",), **options)) == {"explanation"}
