"""Running the checks. An exception in the case fails one check and does not stop the others."""

import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from btlib.adapters.device_choice import Device
from btlib.cases import Case
from btlib.conformance.checks import CHECKS, Check
from btlib.conformance.subject import Subject, make_subject
from btlib.errors import BtlibError, foreign_faults
from btlib.types import Scaling

Outcome = Literal["pass", "fail", "note", "skip"]


@dataclass(frozen=True)
class CheckResult:
    """Result of one check.

    Attributes:
        check: Name of the check.
        outcome: "pass"; "fail"; "note" for a limitation that breaks no rule; "skip" if the check does not apply or
            another check must pass first.
        message: Error or limitation with a hint, or the reason of a skip; empty for a pass.
    """

    check: str
    outcome: Outcome
    message: str = ""


def check_case(
    case: Case,
    data: Path | None = None,
    device: Device = "auto",
    *,
    image_size: int | None = None,
    scaling: Scaling | None = None,
    split: str | None = None,
) -> list[CheckResult]:
    """Check a case and return one result for each of `CHECKS`, in their order.

    Args:
        case: The case; its checkpoints go to a temporary folder.
        data: Folder of samples. The case is checked on phantoms with the channels, classes and structures of its task;
            saved predictions are checked on the samples. None uses phantoms of the Figshare task.
        device: Device to train and predict on, as in a run; "auto" takes the fastest available one.
        image_size: See `make_subject`.
        scaling: See `make_subject`.
        split: See `make_subject`.

    Raises:
        DataError: The folder of samples is not valid.
    """
    with tempfile.TemporaryDirectory(prefix="btlib-check-", ignore_cleanup_errors=True) as checkpoints:
        place = Path(checkpoints)
        subject = make_subject(case, place, data, device, image_size=image_size, scaling=scaling, split=split)
        return examine(subject)


def examine(subject: Subject) -> list[CheckResult]:
    """Run `CHECKS` on a subject and return one result for each, in their order."""
    results: dict[str, CheckResult] = {}
    for name in CHECKS:
        results[name] = _run(CHECKS[name], subject, results)
    return list(results.values())


def _run(check: Check, subject: Subject, before: dict[str, CheckResult]) -> CheckResult:
    not_passed = [name for name in check.needs if before[name].outcome != "pass"]
    if not_passed:
        prepared = before["prepare"].outcome == "pass"
        return CheckResult(check.name, "skip", f"{not_passed[0]!r} must pass first" if prepared else "no predictor")
    try:
        remark = check.run(subject)
    except BtlibError as error:
        return CheckResult(check.name, "fail", str(error))
    except foreign_faults() as error:  # the case is user code and may raise anything
        return CheckResult(check.name, "fail", str(_of_the_case(error)))
    return CheckResult(check.name, remark.outcome, remark.message) if remark else CheckResult(check.name, "pass")


def _of_the_case(error: BaseException) -> BtlibError:
    """Turn an exception of the case into an error that shows the line in the case's code."""
    lines = "".join(traceback.format_exception(error, limit=-3)).rstrip()
    return BtlibError(lines, hint="correct this line of the case's code")
