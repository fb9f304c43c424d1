"""Studies of btlib itself run on request: where `-m` names their marker, or a node id names them."""

from pathlib import Path

import pytest

STUDIES = {
    "performance": "the tables of docs/performance.md, measured on this machine",
    "controls": "what a model scores that cannot have learned anything of tumours, and what the gate makes of faults",
    "statistics": "simulations that show what the gate's statistics are worth",
}
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers of the studies."""
    for name, text in STUDIES.items():
        config.addinivalue_line("markers", f"{name}: {text}; on request")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out studies that were not asked for: `-m full` is the suite of that tier and no more."""
    if any("::" in arg for arg in config.args):
        return
    asked = config.getoption("markexpr")
    unasked = [item for item in items if any(name not in asked for name in _studies(item))]
    if unasked:
        config.hook.pytest_deselected(items=unasked)
        items[:] = [item for item in items if item not in unasked]


def _studies(item: pytest.Item) -> list[str]:
    """The markers of studies that an item of this folder bears."""
    return [name for name in STUDIES if HERE in item.path.parents and item.get_closest_marker(name)]
