"""Fixtures of benchmarks. The values of `bt_tier`, `bt_case` and `bt_metric` come from parametrisation."""

from typing import TYPE_CHECKING

import pytest

from btlib.plugin.reports import fail
from btlib.plugin.session import SESSION

if TYPE_CHECKING:
    from btlib.plugin.run import Run


@pytest.fixture
def bt_tier(request: pytest.FixtureRequest) -> str:
    """Name of the tier: "smoke" or "full"."""
    return _parameter(request)


@pytest.fixture
def bt_case(request: pytest.FixtureRequest, bt_tier: str) -> str:
    """Name of the case, such as "A"."""
    return _parameter(request)


@pytest.fixture
def bt_metric(request: pytest.FixtureRequest, bt_case: str) -> str:
    """Name of a metric of the case, such as "dice" or "accuracy"."""
    return _parameter(request)


@pytest.fixture
def bt_run(request: pytest.FixtureRequest, bt_tier: str) -> "Run":
    """Run of the tier with the results and verdicts of its cases; each case is executed once for all items."""
    from btlib.errors import BtlibError

    try:
        return request.config.stash[SESSION].run(bt_tier)
    except BtlibError as error:
        fail(str(error), "error")


def _parameter(request: pytest.FixtureRequest) -> str:
    if not hasattr(request, "param"):
        reason = request.config.stash[SESSION].why_no_case(request.node)
        fail(f"{request.fixturename}: {reason}", "error")
    return str(request.param)
