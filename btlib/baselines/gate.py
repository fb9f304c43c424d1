"""The gate: whether a measured case holds up against its baseline. Whatever cannot be compared fails."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.baselines.schema import Baseline, BaselineRun, Conditions, Figure
from btlib.errors import StatsError
from btlib.evaluation.aggregate import gated_value, per_slice
from btlib.protocol import Protocol
from btlib.slice_table import SliceTable

Status = Literal["improved", "pass", "inconclusive", "regressed", "not-comparable", "missing-baseline", "error"]

HOLDS: tuple[Status, ...] = ("improved", "pass")


@dataclass(frozen=True)
class Verdict:
    """The gate's word on one metric of one case.

    Attributes:
        case: Name of the case.
        metric: "dice" or "accuracy".
        status: "improved" and "pass" hold; "inconclusive" is a warning; all others fail.
        reason: Why, in a sentence or two.
        measured: The measured value, 0…1; None where there is none.
        baseline: The baseline's value.
        margin: The largest loss that is tolerated.
        difference: Measured − baseline.
        low: Lower bound of the 95 % interval of the difference.
        high: Its upper bound.
        method: How the interval was made: "paired by patient", "paired by slice" or "unpaired".
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

    @property
    def failed(self) -> bool:
        """Whether the pytest item fails whatever the options."""
        return self.status not in (*HOLDS, "inconclusive")

    def describe(self) -> str:
        """Status, the numbers and the reason, for a message."""
        parts = [f"case {self.case}, {self.metric}: {self.status.upper()}"]
        if self.measured is not None:
            parts.append(f"measured   {self.measured:.4f}")
        if self.baseline is not None and self.margin is not None:
            parts.append(f"baseline   {self.baseline:.4f}, margin {self.margin:g}")
        if self.difference is not None and self.low is not None and self.high is not None:
            parts.append(f"difference {self.difference:+.4f}, 95 % [{self.low:+.4f}, {self.high:+.4f}] ({self.method})")
        return "\n  ".join([*parts, *self.reason.splitlines()])


@dataclass(frozen=True, eq=False)
class Measured:
    """What the gate needs of a measured case.

    Attributes:
        case: Its name.
        conditions: Under which conditions it was measured.
        slices: Its numbers by slice.
        batch_mean_size: For a baseline figure that is a mean of batch means.
    """

    case: str
    conditions: Conditions
    slices: SliceTable
    batch_mean_size: int = Protocol.batch_mean_size


@dataclass(frozen=True)
class _Gap:
    """Measured − baseline with its 95 % interval."""

    difference: float
    low: float
    high: float
    method: str


def judge(measured: Measured, metric: str, baseline: Baseline) -> Verdict:
    """Hold one metric of a measured case against a baseline.

    With margin δ and the 95 % interval of the difference d = measured − baseline: "pass" if its lower bound is above
    −δ ("improved" if above 0); "regressed" if d is below −δ and the whole interval below 0; else "inconclusive".
    Numbers made under other conditions never pass: "not-comparable", or "regressed" where they fall short of a
    published figure.
    """
    figure = baseline.figure(measured.case, metric)
    if figure is None or figure.margin is None:
        reason = f"baseline {baseline.name!r} has no gated figure for it; accept one with `btlib baseline accept`"
        return Verdict(measured.case, metric, "missing-baseline", reason)
    value = gated_value(measured.slices, metric, figure.aggregation, measured.batch_mean_size)
    if not math.isfinite(value):
        return Verdict(measured.case, metric, "error", f"the measured value is {value}", baseline=figure.value)
    differences = unlike(measured.conditions, baseline.conditions)
    runs = baseline.cases[measured.case].runs
    if differences and baseline.kind == "measured":
        reason = "made under other conditions than the baseline:\n" + "\n".join(differences)
        return Verdict(measured.case, metric, "not-comparable", reason, value, figure.value, figure.margin)
    try:
        gap = _paired(measured.slices, runs, metric) if runs else _unpaired(measured.slices, figure, metric, value)
    except StatsError as error:  # a single slice has no interval
        return Verdict(measured.case, metric, "error", str(error), value, figure.value, figure.margin)
    status = _three_way(gap, figure.margin)
    reason = ""
    if differences:
        status = "regressed" if status == "regressed" else "not-comparable"
        reason = "the baseline was made under other conditions:\n" + "\n".join(differences)
    return Verdict(
        measured.case,
        metric,
        status,
        reason,
        value,
        figure.value,
        figure.margin,
        gap.difference,
        gap.low,
        gap.high,
        gap.method,
    )


def unlike(measured: Conditions, baseline: Conditions) -> list[str]:
    """Where two sets of conditions differ; what a published baseline leaves open (None) is not compared."""
    pairs = [(name, getattr(measured, name), getattr(baseline, name)) for name in Conditions.model_fields]
    return [
        f"{name}: measured {ours!r}, baseline {theirs!r}"
        for name, ours, theirs in pairs
        if theirs is not None and theirs != ours
    ]


def _three_way(gap: _Gap, margin: float) -> Status:
    if gap.low > -margin:
        return "improved" if gap.low > 0 else "pass"
    return "regressed" if gap.difference < -margin and gap.high < 0 else "inconclusive"


def _paired(slices: SliceTable, runs: list[BaselineRun], metric: str) -> _Gap:
    """On the same slices, against the mean of the baseline's runs; whole patients resampled where they are known."""
    ours = per_slice(slices, metric)
    theirs = np.mean([_in_order(run.slices, slices, metric) for run in runs], axis=0)
    patients = None if any(p is None for p in slices.patient) else slices.patient
    result = stats.paired(ours, theirs, groups=patients)
    return _Gap(
        result.difference, result.low, result.high, "paired by slice" if patients is None else "paired by patient"
    )


def _in_order(theirs: SliceTable, ours: SliceTable, metric: str) -> NDArray[np.float64]:
    place = {number: i for i, number in enumerate(theirs.number)}
    return per_slice(theirs, metric)[[place[number] for number in ours.number]]


def _unpaired(slices: SliceTable, figure: Figure, metric: str, value: float) -> _Gap:
    """Against a published mean. Without a published spread, a proportion's own, or else the spread measured here."""
    ours = per_slice(slices, metric)
    spread = float(ours.std(ddof=1)) if len(ours) > 1 else math.nan
    published = figure.std
    if published is None:
        published = math.sqrt(figure.value * (1 - figure.value)) if metric == "accuracy" else spread
    n = figure.n or len(ours)
    gap = stats.unpaired_mean_difference(float(ours.mean()), spread, len(ours), figure.value, published, n)
    shift = value - figure.value - gap.difference  # the figure's own aggregation, where it is not the slice mean
    return _Gap(gap.difference + shift, gap.low + shift, gap.high + shift, "unpaired")
