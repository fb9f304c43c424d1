"""Reports of failed items: the verdict and the case that caused the failure."""

from typing import NoReturn

import pytest

from btlib.plugin.options import STATUS

ERROR_OF = "bt_error_of"
"""Name of the attribute of a failure, and of the property of its report, with the case that could not be measured."""


RAISED = "bt_raised"
"""Name of the property of a report with all verdicts that failed the item, also those that a mark or `except` hides."""

ENDED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether an item was skipped, or its call has ended without a failure."""

_raised: list[str] = []


def fail(message: str, status: str, error_of: str | None = None) -> NoReturn:
    """Fail the item, and store the verdict and the case with the error (see `pytest_runtest_makereport`)."""
    _raised.append(status)
    failure = pytest.fail.Exception(message, pytrace=False)
    setattr(failure, STATUS, status)
    setattr(failure, ERROR_OF, error_of)
    raise failure from None  # the message says all; a chain would repeat it


def taken() -> list[str]:
    """Return the verdicts of all calls of `fail` since the last call of this function, in this process."""
    found = list(_raised)
    _raised.clear()
    return found


def raised_of(report: pytest.TestReport) -> list[str]:
    """Return the verdicts that were to fail an item in the phase of a report."""
    return [str(status) for name, status in report.user_properties if name == RAISED]


def verdict_of(report: pytest.TestReport) -> str | None:
    """Return the verdict that failed an item; None if no verdict did."""
    status = dict(report.user_properties).get(STATUS)
    return None if status is None else str(status)


def summarised(report: pytest.TestReport) -> None:
    """Shorten the message to its first line for pytest's short summary, which in CI would repeat all of it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = crash.message.partition("\n")[0]


def shortened(report: pytest.TestReport, first: dict[str, str]) -> None:
    """Show the error of a case only at the first item that reports it; other items refer to that item.

    Args:
        report: Report of a failed item; its message is replaced.
        first: Case and tier → node id of the first item; new cases are added.
    """
    case = dict(report.user_properties).get(ERROR_OF)
    if case is not None and first.setdefault(str(case), report.nodeid) != report.nodeid:
        report.longrepr = f"case {case}: its error is shown at {first[str(case)]}"
