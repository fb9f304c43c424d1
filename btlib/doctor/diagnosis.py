"""A diagnosis: facts by section, and checks that passed, failed or were left out."""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from btlib.adapters.device_choice import Device, check_available
from btlib.errors import BtlibError, OptionError
from btlib.registry import Registry

Check = Callable[[Path, str], str]
"""Works in an empty folder, on a device of PyTorch's name; says what it found, or raises."""

GPU_CHECKS: Registry[Check] = Registry("check for a GPU", group="btlib.gpu_checks")
"""Checks that only a GPU answers, which installed packages bring."""

SCHEMA = "btlib-diagnosis/1"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: Its name.
        outcome: "skip" where something that it needs is not installed.
        message: What it found, or what went wrong.
        seconds: It took.
    """

    check: str
    outcome: Literal["pass", "fail", "skip"]
    message: str
    seconds: float


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        facts: Section → name → value, as plain JSON.
        findings: One for each check, in their order.
    """

    facts: Mapping[str, Mapping[str, Any]]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [finding.check for finding in self.findings if finding.outcome == "fail"]

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain JSON."""
        return {"schema": SCHEMA, "facts": self.facts, "checks": [asdict(finding) for finding in self.findings]}


def diagnose(place: Path, root: Path, device: Device = "auto", *, gpu: bool = False) -> Diagnosis:
    """Gather facts and run the self-test.

    Args:
        place: An empty folder to work in.
        root: The user's project.
        device: What the user asks for, as in a run.
        gpu: Run the checks that only a GPU answers, too; they take minutes.

    Raises:
        OptionError: This machine does not have the device, or `gpu` and it has no CUDA device.
    """
    from btlib.doctor.facts import facts
    from btlib.doctor.selftest import SELF_TEST

    check_available(device)
    found = facts(root, device)
    where = str(found["choices"].get("device", "cpu"))
    checks = {name: SELF_TEST[name] for name in SELF_TEST}
    if gpu:
        if not where.startswith("cuda"):
            raise OptionError(
                f"these checks need a CUDA device, and this run would use {where}",
                where="--gpu",
                hint="leave --gpu out, or see under devices why PyTorch finds no GPU",
            )
        checks |= {name: GPU_CHECKS[name] for name in GPU_CHECKS}
    findings = []
    for name, check in checks.items():
        folder = place / name.replace(" ", "-")
        folder.mkdir()
        findings.append(examine(name, check, folder, where))
    return Diagnosis(found, tuple(findings))


def examine(name: str, check: Check, place: Path, device: str) -> Finding:
    """Run one check; whatever it raises is its outcome."""
    from btlib.errors import MissingExtraError

    began = time.perf_counter()
    try:
        outcome: Literal["pass", "fail", "skip"] = "pass"
        message = check(place, device)
    except MissingExtraError as error:
        outcome, message = "skip", str(error)
    except BtlibError as error:
        outcome, message = "fail", str(error)
    except Exception as error:  # of a library: what it raises is what the user is to report
        outcome, message = "fail", "".join(traceback.format_exception(error, limit=-4)).rstrip()
    return Finding(name, outcome, message, time.perf_counter() - began)
