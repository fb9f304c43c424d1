"""A plugin of pytest for sessions whose page and figures nobody looks at."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave them out, where the session has btlib's plugin."""
    if session.config.pluginmanager.has_plugin("btlib"):
        from btlib.plugin import closing
        from btlib.reporting import write_significance

        closing._page = lambda folder: []
        write_significance._draw = lambda tests, folder: None
