"""Verdicts of the gate: a fixed set of statuses, and their exit codes."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

from btlib.decimals import decimals

Status = Literal[
    "improved",
    "pass",
    "measured",
    "inconclusive",
    "suspect",
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
    "suspect",
    "inconclusive",
    "measured",
    "pass",
    "improved",
)
HOLDS: tuple[Status, ...] = ("improved", "pass", "measured")
LOSSES: tuple[Status, ...] = ("regressed", "suspect", "inconclusive")
"""Verdicts for which the p value is shown."""

UNCLEAR: tuple[Status, ...] = ("inconclusive", "suspect")
"""Warnings, which are failures with the option strict: more samples or seeds are needed."""

COULD_NOT_TELL: tuple[Status, ...] = ("error", "out-of-memory", "timeout", "missing-baseline", "not-comparable")
"""Failures of the harness, of the case or of its baseline. They contain no information on quality."""

FELL_SHORT, COULD_NOT_JUDGE = 1, 7
"""Exit codes. 1: a case fails against its baseline (pytest's code for failed tests). 7: otherwise, a case could not
be measured or compared. If no test ran, pytest exits with 5."""

_SMALLEST_P = 1e-16

MANY = 1000
"""Degrees of freedom with which Student's t is as good as normal; more are not printed."""


@dataclass(frozen=True)
class Power:
    """What a comparison can find.

    Attributes:
        detectable: Smallest true loss that is a regression with a probability of 80 %, in the metric's unit.
        p_pass: Probability that an unchanged case passes, 0…1.
        trainings: Seeds on each side with which an unchanged case passes with a probability of 80 %, with the same
            samples; None if no number is enough.
        groups: The same for patients, or for samples that are independent, with the same seeds.
        n_trainings: Seeds of the side that has fewer.
        n_groups: Patients of the comparison.
        unit: What the samples are grouped by: "patient", or another group of the task, or "sample".
        assumed: Whether the spread between trainings is assumed, because none is known.
    """

    detectable: float
    p_pass: float
    trainings: int | None
    groups: int | None
    n_trainings: int
    n_groups: int
    unit: str = "patient"
    assumed: bool = False

    def describe(self) -> str:
        """Return a sentence on both numbers."""
        return (
            f"finds a loss of {self.detectable:.3g} with 80 %; an unchanged case passes with {100 * self.p_pass:.0f} %"
        )

    @property
    def advice(self) -> str:
        """Text on the seeds or patients that would decide."""
        if self.assumed:
            return "the spread between trainings is not known: measure it first, with 3 seeds on each side"
        ways = []
        if self.trainings is not None and self.trainings > self.n_trainings:
            ways.append(f"{self.trainings} seeds on each side")
        if self.groups is not None and self.groups > self.n_groups:
            ways.append(f"{self.groups} {self.unit}s instead of {self.n_groups}")
        if not ways:
            if self.p_pass >= 0.8:
                return "an unchanged case would pass with at least 80 %: run it again with other seeds"
            return f"neither more seeds alone nor more {self.unit}s alone would decide: add both"
        return f"with {' or with '.join(ways)}, an unchanged case would pass with 80 %"


@dataclass(frozen=True)
class Drift:
    """Comparison with the numbers of the case that were accepted first.

    Attributes:
        status: Status of the comparison.
        since: Date of the first numbers, ISO 8601.
        value: First accepted value.
        difference: Measured − first accepted value.
        low: Lower bound of its interval.
        high: Upper bound.
        margin: Largest tolerated loss since then, twice the margin of the metric.
    """

    status: Status
    since: str
    value: float
    difference: float
    low: float
    high: float
    margin: float

    def describe(self) -> str:
        """Return a sentence for the reason of a verdict."""
        digits = decimals(self.margin)
        return (
            f"compared with the numbers first accepted on {self.since} ({self.value:.{digits}f}): {self.status}, "
            f"difference {self.difference:+.{digits}f} [{self.low:+.{digits}f}, {self.high:+.{digits}f}], "
            f"margin {self.margin:g}. If the loss is intended, accept the run with --move-first"
        )


@dataclass(frozen=True)
class SubgroupDifference:
    """Difference within one subgroup of the samples.

    Attributes:
        name: Name for readers: "class" and its name, "small third", "structure" and its name, "misses" or "misses,
            small third".
        metric: Name of the metric, with which the subgroup can be gated: "dice@size:small", "dice/<structure>".
        n: Number of samples.
        value: Measured value, the mean over seeds; None if the subgroup could not be compared.
        baseline: Value of the baseline.
        difference: Measured − baseline.
        low: Lower bound of the 95 % interval of the difference.
        high: Upper bound.
        p: One-sided p of no loss.
        warned: Whether the loss is larger than the margin, and beyond chance among all subgroups of the metric.
        note: Reason why it could not be compared, or what the interval does not cover; may be empty.
    """

    name: str
    metric: str
    n: int
    value: float | None = None
    baseline: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    warned: bool = False
    note: str = ""

    def describe(self, digits: int = 4) -> str:
        """Return a line with the numbers, with the decimals of the verdict."""
        if self.difference is None or self.low is None or self.high is None or self.p is None:
            return f"{self.name} (n = {self.n}): {self.note}"
        found = (
            f"{self.name} (n = {self.n}): {self.value:.{digits}f}, baseline {self.baseline:.{digits}f}, difference "
            f"{self.difference:+.{digits}f} [{self.low:+.{digits}f}, {self.high:+.{digits}f}], "
            f"p {p_relation(self.p)}"
        )
        return f"{found}; {self.note}" if self.note else found


@dataclass(frozen=True)
class Verdict:
    """Verdict on one metric of one case.

    Attributes:
        case: Name of the case.
        metric: Name in the catalogue of metrics.
        status: "improved", "pass" and "measured" (the user asked for no comparison) pass; "inconclusive" and "suspect"
            are warnings; all others fail.
        reason: Reason for the status, one or two sentences.
        measured: Measured value, the mean over seeds, in the metric's unit; None if there is none.
        baseline: Value of the baseline.
        margin: Largest tolerated loss, in the metric's unit.
        difference: Measured − baseline.
        low: Lower bound of the interval of the difference.
        high: Upper bound of the interval.
        confidence: Confidence of the interval: 0.95, and more if a case may be judged several times.
        p: One-sided p of no loss.
        red: Largest p of a regression: the error rate of the suite, divided by the gated metrics of the baseline.
        family: Number of gated metrics of the baseline, over which the error rate is divided.
        method: What the interval covers: "paired by patient, over trainings", "paired by patient, the same models" or
            "unpaired, by patient, over trainings", or the same by sample.
        spread: Standard deviation between trainings, of both sides if they differ; empty if both are the same models.
        freedom: Degrees of freedom of the interval.
        seeds: Measured value of each seed, if there are several.
        baseline_seeds: Baseline value of each seed, if there are several.
        reference: Case of the baseline that was compared with, if it is not `case`.
        power: What the comparison can find; None without a comparison.
        drift: Comparison with the numbers that were accepted first; None if there are none.
        subgroups: Differences within subgroups, worst first; empty if nothing was compared.
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
    confidence: float = 0.95
    p: float | None = None
    red: float | None = None
    family: int | None = None
    method: str | None = None
    spread: tuple[float, ...] = ()
    freedom: float | None = None
    seeds: tuple[float, ...] = ()
    baseline_seeds: tuple[float, ...] = ()
    reference: str | None = None
    power: Power | None = None
    drift: Drift | None = None
    subgroups: tuple[SubgroupDifference, ...] = ()

    @property
    def warned(self) -> tuple[SubgroupDifference, ...]:
        """Subgroups with a loss beyond chance, worst first."""
        return tuple(one for one in self.subgroups if one.warned)

    @property
    def unclear(self) -> bool:
        """Whether the verdict is a warning, which is a failure with the option strict."""
        return self.status in UNCLEAR or (self.status in HOLDS and bool(self.warned))

    @property
    def failed(self) -> bool:
        """Whether the pytest item fails with any options."""
        return self.status not in (*HOLDS, *UNCLEAR)

    @property
    def decimals(self) -> int:
        """Decimals to show."""
        return decimals(self.margin, (self.measured, self.baseline))

    def describe(self) -> str:
        """Return a message with the status, the numbers and the reason."""
        digits = self.decimals
        against = f" compared with {self.reference}" if self.reference else ""
        parts = [f"case {self.case}, {self.metric}{against}: {self.status.upper()}"]
        if self.measured is not None:
            parts.append(f"measured   {self.measured:.{digits}f}{_spread(self.seeds, digits)}")
        if self.baseline is not None and self.margin is not None:
            parts.append(
                f"baseline   {self.baseline:.{digits}f}, margin {self.margin:g}{_spread(self.baseline_seeds, digits)}"
            )
        if self.difference is not None and self.low is not None and self.high is not None:
            sure = f"{100 * self.confidence:.3g} % [{self.low:+.{digits}f}, {self.high:+.{digits}f}]"
            parts.append(f"difference {self.difference:+.{digits}f}, {sure} ({self.method})")
        parts += self._rule()
        parts += [f"LOSS IN A SUBGROUP: {one.describe(digits)}" for one in self.warned]
        return "\n  ".join([*parts, *self.reason.splitlines()])

    def _rule(self) -> list[str]:
        """Return lines on the test and its power."""
        lines = []
        if self.spread and self.freedom is not None:
            sd = " and ".join(f"{one:.{self.decimals}f}" for one in self.spread)
            freedom = f"{self.freedom:.1f}" if self.freedom < MANY else f"over {MANY}"
            lines.append(f"trainings  standard deviation {sd}; {freedom} degrees of freedom")
        if self.p is not None and self.red is not None and self.family is not None and self.status in LOSSES:
            lines.append(f"p          {p_text(self.p)}; red below {self.red:.2g} ({self.family} gated metrics)")
        if self.power is not None:
            lines.append(f"power      {self.power.describe()}")
            if self.status == "inconclusive":
                lines.append(f"           {self.power.advice}")
        return lines


def exit_code(verdicts: Iterable[Verdict], *, strict: bool = False) -> int:
    """Return 0 if all verdicts pass, else `FELL_SHORT` or `COULD_NOT_JUDGE`; the latter also if there are no verdicts.

    Args:
        verdicts: Verdicts of the gate.
        strict: Whether a warning counts as `FELL_SHORT`: an inconclusive or suspect verdict, or a loss in a subgroup.
    """
    judged = tuple(verdicts)
    found = {v.status for v in judged}
    if "regressed" in found or (strict and any(v.unclear for v in judged)):
        return FELL_SHORT
    return COULD_NOT_JUDGE if not found or found & set(COULD_NOT_TELL) else 0


def worst(verdicts: tuple[Verdict, ...]) -> Status:
    """Return the worst status; a case without verdicts was not judged, which is an error."""
    return min((v.status for v in verdicts), key=WORST_FIRST.index, default="error")


def p_text(p: float) -> str:
    """Return a p value with two digits; below 1e-16 only this bound, because rounding decides what is smaller."""
    return f"{p:.2g}" if p >= _SMALLEST_P else f"< {_SMALLEST_P:g}"


def p_relation(p: float) -> str:
    """Return the text after "p": "= 0.02", or "< 1e-16"."""
    return p_text(p) if p < _SMALLEST_P else f"= {p_text(p)}"


def _spread(seeds: tuple[float, ...], digits: int) -> str:
    """Return text on the variation between seeds, which the interval over samples does not cover."""
    if len(seeds) < 2:
        return ""
    center, sd, low, high = (f"{v:.{digits}f}" for v in (mean(seeds), stdev(seeds), min(seeds), max(seeds)))
    return f" ({len(seeds)} seeds: {center} ± {sd}, {low} … {high})"
