"""What pytest's report of a failed item says of the case behind it."""

from typing import NoReturn

import pytest

from btlib.plugin.options import STATUS

ERROR_OF = "bt_error_of"
"""Name of what says which case could not be measured: on the failure itself and among its report's properties."""


def fail(message: str, status: str, error_of: str | None = None) -> NoReturn:
    """Fail the item, and note which verdict did it, and whose error that was (see `pytest_runtest_makereport`)."""
    failure = pytest.fail.Exception(message, pytrace=False)
    setattr(failure, STATUS, status)
    setattr(failure, ERROR_OF, error_of)
    raise failure


def verdict_of(report: pytest.TestReport) -> str | None:
    """The verdict that failed an item; None where it was no verdict."""
    status = dict(report.user_properties).get(STATUS)
    return None if status is None else str(status)


def summarised(report: pytest.TestReport) -> None:
    """Keep the first line for pytest's short summary, which else prints all of a verdict a second time in CI."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = crash.message.partition("\n")[0]


def shortened(report: pytest.TestReport, first: dict[str, str]) -> None:
    """Leave the error of a case to the first item that reports it; of the others a line that names that item.

    Args:
        report: Of a failed item.
        first: Case and tier → node id of the first item; is added to.
    """
    case = dict(report.user_properties).get(ERROR_OF)
    if case is not None and first.setdefault(str(case), report.nodeid) != report.nodeid:
        report.longrepr = f"case {case}: its error is shown at {first[str(case)]}"
