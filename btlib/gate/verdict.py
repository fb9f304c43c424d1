"""The gate's words: a closed set, each an ordinary pytest outcome."""

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
"""Failures of the harness, of the case or of what it is held against; they say nothing of quality."""

FELL_SHORT, COULD_NOT_JUDGE = 1, 7
"""Exit codes: some case fell short of its baseline (pytest's own code for failed tests), or none did but some could
not be measured or compared. Where nothing ran, pytest's own is 5."""


@dataclass(frozen=True)
class Verdict:
    """The gate's word on one metric of one case.

    Attributes:
        case: Name of the case.
        metric: Name in the catalogue of metrics.
        status: "improved" and "pass" hold, and so does "measured", where the user asked for no comparison;
            "inconclusive" is a warning; all others fail.
        reason: Why, in a sentence or two.
        measured: The measured value, in the metric's unit, the mean over seeds; None where there is none.
        baseline: The baseline's value.
        margin: The largest loss that is tolerated, in the metric's unit.
        difference: Measured − baseline.
        low: Lower bound of the 95 % interval of the difference.
        high: Its upper bound.
        method: How the interval was made: "paired by patient", "unpaired, by patient", or "by sample".
        seeds: The measured value of each seed, where there are several.
        baseline_seeds: The baseline's value of each seed, where there are several.
        reference: The case of the baseline it was held against, where that is another than `case`.
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
        """Whether the pytest item fails whatever the options."""
        return self.status not in (*HOLDS, "inconclusive")

    def describe(self) -> str:
        """Status, the numbers and the reason, for a message."""
        against = f" against {self.reference}" if self.reference else ""
        parts = [f"case {self.case}, {self.metric}{against}: {self.status.upper()}"]
        if self.measured is not None:
            parts.append(f"measured   {self.measured:.4f}{_spread(self.seeds)}")
        if self.baseline is not None and self.margin is not None:
            parts.append(f"baseline   {self.baseline:.4f}, margin {self.margin:g}{_spread(self.baseline_seeds)}")
        if self.difference is not None and self.low is not None and self.high is not None:
            parts.append(f"difference {self.difference:+.4f}, 95 % [{self.low:+.4f}, {self.high:+.4f}] ({self.method})")
        return "\n  ".join([*parts, *self.reason.splitlines()])


def exit_code(verdicts: Iterable[Verdict], *, strict: bool = False) -> int:
    """0 where all hold, else `FELL_SHORT` or `COULD_NOT_JUDGE`; nothing to judge is the latter.

    Args:
        verdicts: The gate's words.
        strict: Whether an inconclusive verdict falls short.
    """
    found = {v.status for v in verdicts}
    if "regressed" in found or (strict and "inconclusive" in found):
        return FELL_SHORT
    return COULD_NOT_JUDGE if not found or found & set(COULD_NOT_TELL) else 0


def worst(verdicts: tuple[Verdict, ...]) -> Status:
    """The status that a reader must see first; a case without any verdict was not judged, which is an error."""
    return min((v.status for v in verdicts), key=WORST_FIRST.index, default="error")


def _spread(seeds: tuple[float, ...]) -> str:
    """What training again moves, which the interval over samples does not show."""
    if len(seeds) < 2:
        return ""
    return f" ({len(seeds)} seeds: {mean(seeds):.4f} ± {stdev(seeds):.4f}, {min(seeds):.4f} … {max(seeds):.4f})"
