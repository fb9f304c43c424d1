"""Select the test items that use btlib's fixtures. All other items are ignored: they are not moved or deselected."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

_FIXTURES = "btlib.plugin.fixtures"
TIERS = {
    "smoke": "on phantoms, takes minutes on two cores; runs by default",
    "full": "with the thesis's protocol, slow without a GPU; runs only if -m or a node id names it",
}
GATE = "bt_gate"
FIXTURES = frozenset({"bt_run", "bt_tier", "bt_case", "bt_metric", GATE})
"""Fixtures that fail an item on a verdict."""

CASES_MARKER = "btlib_cases"
MEASURES_MARKER = "btlib_measures"
_SHORT_IN = "benchmarks"
_PACKAGED = "btlib.suite."
_WORDS = {"and", "or", "not", "True", "False", "None"}
_TIER, _CASE = "bt_tier", "bt_case"


def register_markers(config: pytest.Config) -> None:
    """Declare the markers of btlib; all names begin with `btlib_`."""
    for tier, text in TIERS.items():
        config.addinivalue_line("markers", f"btlib_{tier}: benchmark {text}")
    text = "measure this in addition to quality, for example 'inference'"
    config.addinivalue_line("markers", f"{MEASURES_MARKER}(*measures): {text}")
    config.addinivalue_line(
        "markers", f"{CASES_MARKER}(*cases): measure these cases, for example 'mine.py::mine' or 'A'"
    )


def marks(config: pytest.Config, tier: str, definition: Any) -> list[pytest.MarkDecorator]:
    """Return the markers of a tier's items."""
    names = _markers(tier, definition)
    if tier in names and tier not in _declared(config):  # declared only here: other projects may use this name
        config.addinivalue_line("markers", f"{tier}: btlib_{tier}, in the suite")
    return [getattr(pytest.mark, name) for name in names]


def in_suite(item: Any) -> bool:
    """Whether an item belongs to btlib's suite, wherever it was collected."""
    return str(getattr(getattr(item, "function", None), "__module__", "")).startswith(_PACKAGED)


def parametrised(metafunc: pytest.Metafunc, name: str = _CASE) -> bool:
    """Whether a test uses btlib's fixture of this name (default: the case's) and does not parametrise it itself."""
    found = metafunc.definition._fixtureinfo.name2fixturedefs.get(name, ())
    ours = bool(found) and found[-1].func.__module__ == _FIXTURES
    return ours and not parametrised_by_the_user(metafunc.definition, name)


def is_test_file(path: Path | None, config: pytest.Config) -> bool:
    """Whether pytest collects tests from a file of this name."""
    return path is not None and any(path.match(pattern) for pattern in config.getini("python_files"))


def parametrised_by_the_user(definition: Any, name: str) -> bool:
    """Whether a test parametrises a fixture itself."""
    return any(name in re.split(r"[,\s]+", _names_of(mark.args[0])) for mark in definition.iter_markers("parametrize"))


def tier_name(item: pytest.Item) -> str | None:
    """Return the tier of a benchmark item; None for any other item."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if not {_TIER, _CASE} <= parameters.keys():
        return None
    name = parameters[_TIER]
    return name if isinstance(name, str) and name in TIERS and item.get_closest_marker(f"btlib_{name}") else None


def uses(item: pytest.Item, names: Collection[str] = FIXTURES) -> bool:
    """Whether an item uses one of btlib's fixtures, and not only a user's own fixture of that name."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(one.func.__module__.startswith("btlib.plugin.") for name in names for one in known.get(name, ()))


def place(item: pytest.Item) -> tuple[str, str]:
    """Return the tier and case of a benchmark item."""
    params = item.callspec.params  # type: ignore[attr-defined]  # items with a tier are parametrised
    return params[_TIER], params[_CASE]


def measures(item: pytest.Item) -> frozenset[str]:
    """Return the measurements of an item in addition to quality; empty for a speed item if pytest-benchmark is off."""
    names = {name for mark in item.iter_markers(MEASURES_MARKER) for name in mark.args}
    return (
        frozenset() if "benchmark" in getattr(item, "fixturenames", ()) and _is_off(item.config) else frozenset(names)
    )


def wanted(config: pytest.Config, definition: Any, tier: str, row: str) -> bool:
    """Whether to create an item: always for smoke, for other tiers only if `-m` or a node id names it.

    Args:
        config: Configuration of the session.
        definition: Test function.
        tier: Name of the tier.
        row: Id of the item's parameters, such as "full-A-dice".
    """
    if tier == "smoke" or names_marker(config.getoption("markexpr"), _markers(tier, definition)):
        return True
    return any(f"-{row}-" in f"-{named}-" for named in _parameters_in_ids(config, definition))


def names_marker(expression: str, names: Collection[str]) -> bool:
    """Whether an expression of `-m` names one of these markers, except to exclude it with `not`."""
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
    """Raise an error if `-m` names a marker that no item has and that is not declared.

    Args:
        config: Configuration of the session.
        items: All collected items, before any is deselected.

    Raises:
        UnknownNameError: There is such a name; the hint suggests the closest marker.
    """
    known = {mark.name for item in items for mark in item.iter_markers()} | _declared(config) | {*TIERS}
    expression = re.sub(r"\([^()]*=[^()]*\)", "", config.getoption("markexpr"))
    for name in re.findall(r"[^\s()]+", expression):
        if name not in known | _WORDS and names_marker(expression, [name]):
            from btlib.registry import unknown_name

            raise unknown_name("marker", name, known, where="-m")


def grouped(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the items grouped by case, so that only one model is in memory at a time; others keep their places."""
    order: dict[tuple[str, str], int] = {}
    for item in filter(tier_name, items):
        order.setdefault(place(item), len(order))
    ours = iter(sorted(filter(tier_name, items), key=lambda item: order[place(item)]))
    return [next(ours) if tier_name(item) else item for item in items]


def _has_short_names(item: Any) -> bool:
    """Whether `-m smoke` and `-m full` select an item: it is in the suite or the project's folder `benchmarks`."""
    root = item.config.rootpath
    return in_suite(item) or (
        item.path.is_relative_to(root) and _SHORT_IN in (root.name, *item.path.parent.relative_to(root).parts)
    )


def _markers(tier: str, definition: Any) -> list[str]:
    """Return the names of the markers of a tier's items."""
    return [f"btlib_{tier}", *([tier] if _has_short_names(definition) else [])]


def _declared(config: pytest.Config) -> set[str]:
    return {re.split(r"[:(]", line)[0].strip() for line in config.getini("markers")}


def _is_off(config: pytest.Config) -> bool:
    """Whether pytest-benchmark is off: by an option, or because workers of pytest-xdist share the machine."""
    if config.getoption("benchmark_enable", False):
        return False
    workers = hasattr(config, "workerinput") or config.getoption("dist", "no") != "no"
    return workers or any(config.getoption(f"benchmark_{name}", False) for name in ("disable", "skip"))


def _names_of(argument: Any) -> str:
    return argument if isinstance(argument, str) else " ".join(argument)


def _parameters_in_ids(config: pytest.Config, definition: Any) -> Iterator[str]:
    """Yield the parameters of the node ids on the command line that name this function."""
    for arg in config.args:
        node, bracket, parameters = arg.partition("[")
        file, *names = node.split("::")
        if bracket and names and names[-1] == definition.name and re.split(r"[\\/]", file)[-1] in _names(definition):
            yield parameters.removesuffix("]")


def _names(definition: Any) -> tuple[str, str]:
    """Return the names of a function's file: as a path and for `--pyargs`."""
    return definition.path.name, f"{_PACKAGED}{definition.path.stem}"
