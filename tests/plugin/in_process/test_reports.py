"""What a failed item says of its case: the verdict, whose error it was, and that error once."""

from types import SimpleNamespace
from typing import Any

import pytest

from btlib.plugin.options import STATUS
from btlib.plugin.reports import ERROR_OF, fail, shortened, summarised, verdict_of


def report(nodeid: str, error_of: str | None, status: str | None = "error") -> Any:
    properties = [("other", 1), *([] if status is None else [(STATUS, status)]), (ERROR_OF, error_of)]
    return SimpleNamespace(nodeid=nodeid, user_properties=properties, longrepr=f"why of {nodeid}")


@pytest.mark.parametrize("error_of", [None, "A (smoke)"])
def test_a_failure_carries_its_verdict_and_whose_error_it_was(error_of: str | None) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        fail("why", "timeout", error_of)
    assert (str(caught.value), caught.value.pytrace) == ("why", False)
    assert (getattr(caught.value, STATUS), getattr(caught.value, ERROR_OF)) == ("timeout", error_of)


def test_the_verdict_of_a_report() -> None:
    assert verdict_of(report("a", None, "regressed")) == "regressed"
    assert verdict_of(report("a", None, None)) is None


def test_the_error_of_a_case_is_left_to_the_first_item_that_reports_it() -> None:
    first: dict[str, str] = {}
    reports = [report(*of) for of in (("a", "A"), ("b", "B"), ("c", "A"), ("d", None), ("e", None), ("a", "A"))]
    for one in reports:
        shortened(one, first)
    assert [one.longrepr for one in reports] == [
        *("why of a", "why of b", "case A: its error is shown at a", "why of d", "why of e"),
        "why of a",  # the same item once more, as reruns report it
    ]
    assert first == {"A": "a", "B": "b"}


def test_the_short_summary_has_the_first_line_only() -> None:
    one = report("a", None)
    one.longrepr = SimpleNamespace(reprcrash=SimpleNamespace(message="case A: REGRESSED\n  why\n  more"))
    summarised(one)
    assert one.longrepr.reprcrash.message == "case A: REGRESSED"
    summarised(report("text has none", None))
