"""A plugin of pytest for sessions whose page nobody looks at."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave the page out, where the session has btlib's plugin."""
    if session.config.pluginmanager.has_plugin("btlib"):
        from btlib.plugin import closing

        closing._page = lambda folder: []
