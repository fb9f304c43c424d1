"""Power of the gate before a run: what a baseline with its seeds and samples can find."""

import math
from dataclasses import dataclass, replace

import numpy as np

from btlib import stats
from btlib.errors import BaselineError, StatsError
from btlib.gate.gate_options import GateOptions
from btlib.gate.schema import Baseline
from btlib.gate.sides import Side, crossed, side
from btlib.gate.trainings import spreads
from btlib.gate.verdict import Power
from btlib.registry import unknown_name

CORRELATION = 0.64
"""Assumed correlation between two trainings over samples if the baseline has one seed; measured for the Dice of A and B
in the thesis."""


@dataclass(frozen=True)
class ExpectedPower:
    """Power of the gate for one metric of one case, if an unchanged case is trained again.

    Attributes:
        case: Name of the case.
        metric: Name of the metric.
        margin: Largest tolerated loss, in the metric's unit.
        sd: Standard deviation between trainings, in the metric's unit.
        freedom: Its degrees of freedom; infinity if it is assumed because no spread is known.
        assumed: Whether it is assumed.
        error: Expected standard error of the difference.
        power: What the comparison will find; None if this cannot be told.
        note: Why it cannot be told; "" if it can.
    """

    case: str
    metric: str
    margin: float
    sd: float
    freedom: float
    assumed: bool
    error: float
    power: Power | None
    note: str = ""


def expected_power(
    baseline: Baseline,
    seeds: int = 1,
    cases: tuple[str, ...] = (),
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
) -> list[ExpectedPower]:
    """Return the power of the gate for each gated metric, before anything is run.

    Args:
        baseline: Measured baseline.
        seeds: Number of seeds of the run, at least 1.
        cases: Names of cases; empty takes all.
        options: Settings of the gate.

    Raises:
        UnknownNameError: A case is not in the baseline.
        BaselineError: The baseline is published, and so has no numbers per sample.
    """
    if baseline.kind != "measured":
        raise BaselineError(
            "contains published numbers only; the power needs numbers per sample",
            where=baseline.name,
            hint="name a measured baseline",
        )
    for case in cases:
        if case not in baseline.cases:
            raise unknown_name("case of the baseline", case, baseline.cases)
    return [
        _expected_or_none(baseline, case, metric, seeds, options)
        for case in cases or baseline.cases
        for metric in baseline.gated(case)
    ]


def power_of(
    found: stats.Crossed, margin: float, level: float, red: float, unit: str = "patient", *, assumed: bool = False
) -> Power:
    """Return what a comparison can find.

    Args:
        found: Comparison, of which only the variance is used.
        margin: Largest tolerated loss, above 0.
        level: One-sided level of the bound of a pass.
        red: Largest one-sided p of a regression.
        unit: What the samples are grouped by.
        assumed: Whether the spread between trainings is assumed.
    """
    more = stats.enough(found, margin, level)
    return Power(
        detectable=stats.detectable(found, margin, red),
        p_pass=stats.p_pass(found, margin, level),
        trainings=more.trainings,
        groups=more.groups,
        n_trainings=min(found.n_trainings),
        n_groups=found.n_groups,
        unit=unit,
        assumed=assumed,
    )


def _expected_or_none(baseline: Baseline, case: str, metric: str, seeds: int, options: GateOptions) -> ExpectedPower:
    try:
        return _expected(baseline, case, metric, seeds, options)
    except StatsError as error:  # a metric of all samples together without a value in many draws of patients
        margin = getattr(baseline.figure(case, metric), "margin", None) or 0.0
        return ExpectedPower(case, metric, margin, math.nan, math.nan, False, math.nan, None, error.problem)


def _expected(baseline: Baseline, case: str, metric: str, seeds: int, options: GateOptions) -> ExpectedPower:
    result, figure = baseline.result(case), baseline.figure(case, metric)
    assert result is not None  # the baseline is measured
    assert figure is not None  # the metric is gated
    if not result.conditions.task.has_images and len(result.runs) == 1:
        raise StatsError(
            "without seeds, the variance of a difference is known only from the difference itself", where=metric
        )
    stored = side(result.runs, result, metric)
    known = spreads(result, stored.first(), stored, metric, baseline, newcomer=False)
    margin, theirs = float(figure.margin or 0), len(stored.values)
    variance = known.ours.value * (1 / seeds + 1 / theirs)
    doubted = 0.0 if known.interaction else _of_one_training(stored)
    samples = doubted * ((seeds == 1) + (theirs == 1))  # a side with one training counts them twice
    n_groups = len(np.unique(stored.groups))
    total = samples + variance
    terms = samples**2 / (n_groups - 1) + (variance**2 / known.ours.freedom if variance else 0.0)
    freedom = total**2 / terms if terms else n_groups - 1
    found = stats.Crossed(0.0, samples, variance, freedom, n_groups, (seeds, theirs))
    level, red = options.level, options.red(baseline.family)
    return ExpectedPower(
        case=case,
        metric=metric,
        margin=margin,
        sd=math.sqrt(known.ours.value),
        freedom=known.ours.freedom,
        assumed=known.assumed is not None,
        error=found.error,
        power=power_of(found, margin, level, red, result.unit, assumed=known.assumed is not None),
    )


def _of_one_training(stored: Side) -> float:
    """Return the variance, over patients, of one training's value that other trainings do not share."""
    known = stored.interaction()
    if known is not None:
        return known
    nothing = replace(
        stored,
        values=np.zeros_like(stored.values),
        samples=None if stored.samples is None else np.zeros_like(stored.samples),
        draws=None if stored.draws is None else np.zeros_like(stored.draws),
    )
    return (1 - CORRELATION) * crossed(stored, nothing, None).samples
