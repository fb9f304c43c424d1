"""Which test items are btlib's: those that use its fixtures. No other item is looked at, moved or left out."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

_FIXTURES = "btlib.plugin.fixtures"
TIERS = {
    "smoke": "on phantoms, minutes on two cores; what runs without -m",
    "full": "by the thesis's protocol, for a GPU or patience; runs only where -m or a node id names it",
}
CASES_MARKER = "btlib_cases"
MEASURES_MARKER = "btlib_measures"
_SHORT_IN = "benchmarks"
_PACKAGED = "btlib.suite."
_WORDS = {"and", "or", "not", "True", "False", "None"}
_TIER, _CASE = "bt_tier", "bt_case"


def register_markers(config: pytest.Config) -> None:
    """Declare the markers of btlib; all begin with `btlib_`."""
    for tier, text in TIERS.items():
        config.addinivalue_line("markers", f"btlib_{tier}: benchmark {text}")
    text = "measure this beside the quality of its cases, such as 'inference'"
    config.addinivalue_line("markers", f"{MEASURES_MARKER}(*measures): {text}")
    config.addinivalue_line("markers", f"{CASES_MARKER}(*cases): measure these cases, such as 'mine.py::mine' or 'A'")


def marks(config: pytest.Config, tier: str, definition: Any) -> list[pytest.MarkDecorator]:
    """The markers of a tier's items."""
    names = _markers(tier, definition)
    if tier in names and tier not in _declared(config):  # not declared before, for that name belongs to every project
        config.addinivalue_line("markers", f"{tier}: btlib_{tier}, in the suite")
    return [getattr(pytest.mark, name) for name in names]


def in_suite(item: Any) -> bool:
    """Whether an item is of btlib's own suite, wherever it was collected."""
    return str(getattr(getattr(item, "function", None), "__module__", "")).startswith(_PACKAGED)


def parametrised(metafunc: pytest.Metafunc, name: str = _CASE) -> bool:
    """Whether a test function uses btlib's own fixture of the case (or another), and gives it no values itself."""
    found = metafunc.definition._fixtureinfo.name2fixturedefs.get(name, ())
    ours = bool(found) and found[-1].func.__module__ == _FIXTURES
    return ours and not parametrised_by_the_user(metafunc.definition, name)


def is_test_file(path: Path | None, config: pytest.Config) -> bool:
    """Whether pytest collects tests from a file of this name."""
    return path is not None and any(path.match(pattern) for pattern in config.getini("python_files"))


def parametrised_by_the_user(definition: Any, name: str) -> bool:
    """Whether a test gives the values of a fixture itself."""
    return any(name in re.split(r"[,\s]+", _names_of(mark.args[0])) for mark in definition.iter_markers("parametrize"))


def tier_name(item: pytest.Item) -> str | None:
    """The tier of a benchmark item; None for any other."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if not {_TIER, _CASE} <= parameters.keys():
        return None
    name = parameters[_TIER]
    return name if isinstance(name, str) and name in TIERS and item.get_closest_marker(f"btlib_{name}") else None


def place(item: pytest.Item) -> tuple[str, str]:
    """Tier and case of a benchmark item."""
    params = item.callspec.params  # type: ignore[attr-defined]  # only items of a tier get here, and those have one
    return params[_TIER], params[_CASE]


def measures(item: pytest.Item) -> frozenset[str]:
    """What an item wants to be measured of its case beside the quality; no speed where pytest-benchmark is off."""
    names = {name for mark in item.iter_markers(MEASURES_MARKER) for name in mark.args}
    return (
        frozenset() if "benchmark" in getattr(item, "fixturenames", ()) and _is_off(item.config) else frozenset(names)
    )


def wanted(config: pytest.Config, definition: Any, tier: str, row: str) -> bool:
    """Whether an item is to be there: smoke always is, any other tier only where `-m` or a node id names it.

    Args:
        config: Of the session.
        definition: The test function.
        tier: Name of the tier.
        row: What the item's parameters are called, such as "full-A-dice".
    """
    if tier == "smoke" or names_marker(config.getoption("markexpr"), _markers(tier, definition)):
        return True
    return any(f"-{row}-" in f"-{named}-" for named in _parameters_in_ids(config, definition))


def names_marker(expression: str, names: Collection[str]) -> bool:
    """Whether an expression of `-m` names one of these markers, other than to leave it out by `not`."""
    negated, around = False, [False]
    for token in re.findall(r"[()]|[^\s()]+", expression):
        if token == "not":
            negated = not negated
        elif token == "(":
            around.append(around[-1] != negated)
            negated = False
        elif token == ")":
            around = around[:-1] or around
        elif token not in ("and", "or"):
            if token in names and around[-1] == negated:
                return True
            negated = False
    return False


def require_known_markers(config: pytest.Config, items: Collection[pytest.Item]) -> None:
    """Refuse a name in `-m` that no item bears and nobody declared, where it has selected none of the suite's items.

    Args:
        config: Of the session.
        items: All that were collected, before any is left out.

    Raises:
        UnknownNameError: There is one; the nearest marker is offered.
    """
    known = {mark.name for item in items for mark in item.iter_markers()} | _declared(config) | {*TIERS}
    expression = re.sub(r"\([^()]*=[^()]*\)", "", config.getoption("markexpr"))
    for name in re.findall(r"[^\s()]+", expression):
        if name not in known | _WORDS and names_marker(expression, [name]):
            from btlib.registry import unknown_name

            raise unknown_name("marker", name, known, where="-m")


def grouped(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same items, those of a case together, so that one model is in memory at a time; others keep their places."""
    order: dict[tuple[str, str], int] = {}
    for item in filter(tier_name, items):
        order.setdefault(place(item), len(order))
    ours = iter(sorted(filter(tier_name, items), key=lambda item: order[place(item)]))
    return [next(ours) if tier_name(item) else item for item in items]


def _has_short_names(item: Any) -> bool:
    """Whether `-m smoke` and `-m full` mean an item: it is of the suite, or of a folder `benchmarks` of the project."""
    root = item.config.rootpath
    return in_suite(item) or (
        item.path.is_relative_to(root) and _SHORT_IN in (root.name, *item.path.parent.relative_to(root).parts)
    )


def _markers(tier: str, definition: Any) -> list[str]:
    """Names of the markers of a tier's items."""
    return [f"btlib_{tier}", *([tier] if _has_short_names(definition) else [])]


def _declared(config: pytest.Config) -> set[str]:
    return {re.split(r"[:(]", line)[0].strip() for line in config.getini("markers")}


def _is_off(config: pytest.Config) -> bool:
    """Whether pytest-benchmark times nothing: as asked, or because workers of pytest-xdist share the machine."""
    if config.getoption("benchmark_enable", False):
        return False
    workers = hasattr(config, "workerinput") or config.getoption("dist", "no") != "no"
    return workers or any(config.getoption(f"benchmark_{name}", False) for name in ("disable", "skip"))


def _names_of(argument: Any) -> str:
    return argument if isinstance(argument, str) else " ".join(argument)


def _parameters_in_ids(config: pytest.Config, definition: Any) -> Iterator[str]:
    """The parameters in node ids of the command line that name this function."""
    for arg in config.args:
        node, bracket, parameters = arg.partition("[")
        file, *names = node.split("::")
        if bracket and names and names[-1] == definition.name and re.split(r"[\\/]", file)[-1] in _names(definition):
            yield parameters.removesuffix("]")


def _names(definition: Any) -> tuple[str, str]:
    """Of a file, as a path and in `--pyargs`."""
    return definition.path.name, f"{_PACKAGED}{definition.path.stem}"
