"""Running the checks: each to its end, whatever the case does."""

import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from btlib.adapters.device_choice import Device
from btlib.cases import Case
from btlib.conformance.checks import CHECKS, Check
from btlib.conformance.subject import Subject, make_subject
from btlib.errors import BtlibError

Outcome = Literal["pass", "fail", "note", "skip"]


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    Attributes:
        check: Its name.
        outcome: "pass"; "fail"; "note" for a limit that breaks no promise; "skip" where it does not apply or another
            had to pass first.
        message: What is wrong or limited and what to change, or why it was skipped; empty for a pass.
    """

    check: str
    outcome: Outcome
    message: str = ""


def check_case(case: Case, data: Path | None = None, device: Device = "auto") -> list[CheckResult]:
    """Examine a case: one result for each of `CHECKS`, in their order.

    Args:
        case: The case; its checkpoints go to a temporary folder.
        data: A folder of samples, for predictions of those very samples; None takes phantoms.
        device: What the case is told to train and predict on, as in a run; "auto" takes the fastest that is there.

    Raises:
        DataError: The folder of samples is not what it should be.
    """
    with tempfile.TemporaryDirectory(prefix="btlib-check-", ignore_cleanup_errors=True) as checkpoints:
        return examine(make_subject(case, Path(checkpoints), data, device))


def examine(subject: Subject) -> list[CheckResult]:
    """Run `CHECKS` on a subject: one result for each, in their order."""
    results: dict[str, CheckResult] = {}
    for name in CHECKS:
        results[name] = _run(CHECKS[name], subject, results)
    return list(results.values())


def _run(check: Check, subject: Subject, before: dict[str, CheckResult]) -> CheckResult:
    wanting = [name for name in check.needs if before[name].outcome != "pass"]
    if wanting:
        prepared = before["prepare"].outcome == "pass"
        return CheckResult(check.name, "skip", f"once {wanting[0]!r} passes" if prepared else "no predictor")
    try:
        remark = check.run(subject)
    except BtlibError as error:
        return CheckResult(check.name, "fail", str(error))
    except (Exception, SystemExit) as error:  # a case is foreign code: whatever it raises is the result
        return CheckResult(check.name, "fail", str(_of_the_case(error)))
    return CheckResult(check.name, remark.outcome, remark.message) if remark else CheckResult(check.name, "pass")


def _of_the_case(error: Exception | SystemExit) -> BtlibError:
    """What a case raised, with the place in its own code."""
    lines = "".join(traceback.format_exception(error, limit=-3)).rstrip()
    return BtlibError(lines, hint="this line of the case's own code fails")
