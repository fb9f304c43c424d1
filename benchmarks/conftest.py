"""Studies of btlib itself. They run only on request: if `-m` names their marker, or a node id names them."""

from pathlib import Path

import pytest

STUDIES = {
    "performance": "the tables of docs/performance.md, measured on this machine",
    "controls": "scores of a model that can only learn random classes, and verdicts of the gate on planted faults",
    "statistics": "simulations that check the gate's statistics",
}
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers of the studies."""
    for name, text in STUDIES.items():
        config.addinivalue_line("markers", f"{name}: {text}; on request")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect studies that were not requested; `-m full` selects only the suite of that tier."""
    if any("::" in arg for arg in config.args):
        return
    asked = config.getoption("markexpr")
    unasked = [item for item in items if any(name not in asked for name in _studies(item))]
    if unasked:
        config.hook.pytest_deselected(items=unasked)
        items[:] = [item for item in items if item not in unasked]


def _studies(item: pytest.Item) -> list[str]:
    """Return the study markers of an item in this folder."""
    return [name for name in STUDIES if HERE in item.path.parents and item.get_closest_marker(name)]
