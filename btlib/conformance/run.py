"""Running the checks: each to its end, whatever the case does."""

import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from btlib.cases import Case
from btlib.conformance.checks import CHECKS, Check
from btlib.conformance.subject import Subject, make_subject
from btlib.errors import BtlibError


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    Attributes:
        check: Its name.
        outcome: "pass", "fail", or "skip" where it does not apply or another had to pass first.
        message: What is wrong and what to change, or why it was skipped; empty for a pass.
    """

    check: str
    outcome: Literal["pass", "fail", "skip"]
    message: str = ""


def check_case(case: Case, data: Path | None = None) -> list[CheckResult]:
    """Examine a case on the CPU: one result for each of `CHECKS`, in their order.

    Args:
        case: The case; its checkpoints go to a temporary folder.
        data: A folder of slices, for predictions of those very slices; None takes phantoms.

    Raises:
        DataError: The folder of slices is not what it should be.
    """
    with tempfile.TemporaryDirectory(prefix="btlib-check-", ignore_cleanup_errors=True) as checkpoints:
        return examine(make_subject(case, Path(checkpoints), data))


def examine(subject: Subject) -> list[CheckResult]:
    """Run `CHECKS` on a subject: one result for each, in their order."""
    results: dict[str, CheckResult] = {}
    for name in CHECKS:
        results[name] = _run(CHECKS[name], subject, results)
    return list(results.values())


def _run(check: Check, subject: Subject, before: dict[str, CheckResult]) -> CheckResult:
    wanting = [name for name in check.needs if before[name].outcome != "pass"]
    if wanting:
        return CheckResult(check.name, "skip", f"once {wanting[0]!r} passes")
    try:
        reason = check.run(subject)
    except BtlibError as error:
        return CheckResult(check.name, "fail", str(error))
    except Exception as error:  # a case is foreign code: whatever it raises is the result
        told = "".join(traceback.format_exception(error, limit=-3)).rstrip()
        return CheckResult(check.name, "fail", f"{told}\nTo mend it: this line of the case's own code fails")
    return CheckResult(check.name, "pass" if reason is None else "skip", reason or "")
