"""Verdicts of the gate: a fixed set of statuses, and their exit codes."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

Status = Literal[
    "improved",
    "pass",
    "measured",
    "inconclusive",
    "regressed",
    "not-comparable",
    "missing-baseline",
    "error",
    "out-of-memory",
    "timeout",
]

WORST_FIRST: tuple[Status, ...] = (
    "error",
    "out-of-memory",
    "timeout",
    "missing-baseline",
    "not-comparable",
    "regressed",
    "inconclusive",
    "measured",
    "pass",
    "improved",
)
HOLDS: tuple[Status, ...] = ("improved", "pass", "measured")
COULD_NOT_TELL: tuple[Status, ...] = ("error", "out-of-memory", "timeout", "missing-baseline", "not-comparable")
"""Failures of the harness, of the case or of its baseline. They contain no information on quality."""

FELL_SHORT, COULD_NOT_JUDGE = 1, 7
"""Exit codes. 1: a case fails against its baseline (pytest's code for failed tests). 7: otherwise, a case could not
be measured or compared. If no test ran, pytest exits with 5."""


@dataclass(frozen=True)
class Verdict:
    """Verdict on one metric of one case.

    Attributes:
        case: Name of the case.
        metric: Name in the catalogue of metrics.
        status: "improved", "pass" and "measured" (the user asked for no comparison) pass; "inconclusive" is a warning;
            all others fail.
        reason: Reason for the status, one or two sentences.
        measured: Measured value, the mean over seeds, in the metric's unit; None if there is none.
        baseline: Value of the baseline.
        margin: Largest tolerated loss, in the metric's unit.
        difference: Measured − baseline.
        low: Lower bound of the 95 % interval of the difference.
        high: Upper bound of the interval.
        method: Method of the interval: "paired by patient", "unpaired, by patient", or the same by sample.
        seeds: Measured value of each seed, if there are several.
        baseline_seeds: Baseline value of each seed, if there are several.
        reference: Case of the baseline that was compared with, if it is not `case`.
    """

    case: str
    metric: str
    status: Status
    reason: str = ""
    measured: float | None = None
    baseline: float | None = None
    margin: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    seeds: tuple[float, ...] = ()
    baseline_seeds: tuple[float, ...] = ()
    reference: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the pytest item fails with any options."""
        return self.status not in (*HOLDS, "inconclusive")

    def describe(self) -> str:
        """Return a message with the status, the numbers and the reason."""
        against = f" compared with {self.reference}" if self.reference else ""
        parts = [f"case {self.case}, {self.metric}{against}: {self.status.upper()}"]
        if self.measured is not None:
            parts.append(f"measured   {self.measured:.4f}{_spread(self.seeds)}")
        if self.baseline is not None and self.margin is not None:
            parts.append(f"baseline   {self.baseline:.4f}, margin {self.margin:g}{_spread(self.baseline_seeds)}")
        if self.difference is not None and self.low is not None and self.high is not None:
            parts.append(f"difference {self.difference:+.4f}, 95 % [{self.low:+.4f}, {self.high:+.4f}] ({self.method})")
        return "\n  ".join([*parts, *self.reason.splitlines()])


def exit_code(verdicts: Iterable[Verdict], *, strict: bool = False) -> int:
    """Return 0 if all verdicts pass, else `FELL_SHORT` or `COULD_NOT_JUDGE`; the latter also if there are no verdicts.

    Args:
        verdicts: Verdicts of the gate.
        strict: Whether an inconclusive verdict counts as `FELL_SHORT`.
    """
    found = {v.status for v in verdicts}
    if "regressed" in found or (strict and "inconclusive" in found):
        return FELL_SHORT
    return COULD_NOT_JUDGE if not found or found & set(COULD_NOT_TELL) else 0


def worst(verdicts: tuple[Verdict, ...]) -> Status:
    """Return the worst status; a case without verdicts was not judged, which is an error."""
    return min((v.status for v in verdicts), key=WORST_FIRST.index, default="error")


def _spread(seeds: tuple[float, ...]) -> str:
    """Return text on the variation between seeds, which the interval over samples does not cover."""
    if len(seeds) < 2:
        return ""
    return f" ({len(seeds)} seeds: {mean(seeds):.4f} ± {stdev(seeds):.4f}, {min(seeds):.4f} … {max(seeds):.4f})"
