"""Diagnosis: facts by section, and checks that passed, failed or were skipped."""

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
"""Check that gets an empty folder and the PyTorch name of a device. It returns a message, or raises if it fails."""

GPU_CHECKS: Registry[Check] = Registry("check for a GPU", group="btlib.gpu_checks")
"""Checks that need a GPU, provided by installed packages."""

SCHEMA = "btlib-diagnosis/1"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        check: Name of the check.
        outcome: "pass", "fail", or "skip" if a required package is not installed.
        message: Result of the check, or the error.
        seconds: Duration of the check in seconds.
    """

    check: str
    outcome: Literal["pass", "fail", "skip"]
    message: str
    seconds: float


@dataclass(frozen=True)
class Diagnosis:
    """Facts about the machine and results of the checks.

    Attributes:
        facts: Section → name → value, as plain JSON.
        findings: One finding for each check, in their order.
    """

    facts: Mapping[str, Mapping[str, Any]]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [finding.check for finding in self.findings if finding.outcome == "fail"]

    def as_json(self) -> dict[str, Any]:
        """Return facts and findings as plain JSON."""
        return {"schema": SCHEMA, "facts": self.facts, "checks": [asdict(finding) for finding in self.findings]}


def diagnose(place: Path, root: Path, device: Device = "auto", *, gpu: bool = False) -> Diagnosis:
    """Gather facts and run the self-test.

    Args:
        place: Empty folder to work in.
        root: Folder of the user's project.
        device: Requested device, as in a run.
        gpu: Whether to run the checks that need a GPU in addition; they take minutes.

    Raises:
        OptionError: This machine does not have the device, or `gpu` is set and the device is not a CUDA device.
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
                hint="omit --gpu, or see the section devices for the reason why PyTorch finds no GPU",
            )
        checks |= {name: GPU_CHECKS[name] for name in GPU_CHECKS}
    findings = []
    for name, check in checks.items():
        folder = place / name.replace(" ", "-")
        folder.mkdir()
        findings.append(examine(name, check, folder, where))
    return Diagnosis(found, tuple(findings))


def examine(name: str, check: Check, place: Path, device: str) -> Finding:
    """Run one check and return its result; an exception becomes a failure or a skip."""
    from btlib.errors import MissingExtraError

    began = time.perf_counter()
    try:
        outcome: Literal["pass", "fail", "skip"] = "pass"
        message = check(place, device)
    except MissingExtraError as error:
        outcome, message = "skip", str(error)
    except BtlibError as error:
        outcome, message = "fail", str(error)
    except Exception as error:  # from a library: the user reports it
        outcome, message = "fail", "".join(traceback.format_exception(error, limit=-4)).rstrip()
    return Finding(name, outcome, message, time.perf_counter() - began)
