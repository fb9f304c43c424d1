"""A plugin of pytest for sessions whose page and figures nobody looks at."""

import importlib

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave them out, where the session has btlib's plugin."""
    if session.config.pluginmanager.has_plugin("btlib"):
        from btlib.api import closing

        closing._page = lambda folder: []
        importlib.import_module("btlib.reporting.write_significance")._draw = lambda tests, folder: None  # type: ignore[attr-defined]
