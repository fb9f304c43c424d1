"""Variance between trainings of a case, from its own seeds and from the other cases of the baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from btlib import stats
from btlib.evaluation.catalogue import Metric
from btlib.evaluation.subgroup import Subgroup
from btlib.gate.baseline_case import Spread
from btlib.gate.schema import Baseline
from btlib.gate.sides import Side
from btlib.results import CaseResult, SeedRun

PRIOR_WEIGHT = 4.0
"""Largest weight of the other cases, in degrees of freedom. Spreads differ between cases, so the case's own trainings
must be able to outweigh theirs."""

ASSUMED_SHARE = 0.05
"""Assumed standard deviation between trainings if none is known, as a share of the metric's range. Trainings of the
thesis's recipe are up to 0.22 apart."""

ASSUMED_MARGINS = 2.5
"""The same for a metric without an upper bound, as a multiple of its margin."""


@dataclass(frozen=True)
class Spreads:
    """Variance between the trainings of both sides of a comparison.

    Attributes:
        ours: Variance of the measured case.
        theirs: Variance of the baseline's case.
        assumed: Standard deviation that is assumed because none is known; None if one is known.
        interaction: Variance over patients that trainings of the case do not share; 0 if it is unknown.
    """

    ours: stats.Variance
    theirs: stats.Variance
    assumed: float | None = None
    interaction: float = 0.0


def spreads(
    result: CaseResult, ours: Side, theirs: Side | None, metric: str, baseline: Baseline, *, newcomer: bool
) -> Spreads:
    """Return the variance between trainings of both sides.

    Each variance is a mean of the case's own spread and that of the baseline's other cases, weighted by degrees of
    freedom (`stats.moderated`). If no spread is known, a wide one is assumed (`default_spread`).

    Args:
        result: Measured result; `result.case` is the name of the case in the baseline.
        ours: Measured trainings.
        theirs: Trainings in the baseline; None for a published case.
        metric: Name of the metric.
        baseline: The baseline.
        newcomer: Whether the measured case has a variance of its own. Otherwise both sides are trainings of one case.
    """
    own, stored = ours.between(), baseline.cases[result.case].spread.get(metric)
    known = _variance(stored) or (None if theirs is None else theirs.between())
    prior = _of_others(result.case, metric, baseline)
    if result.definitions[metric].subgroup is not None and known is None and prior is None:
        prior = _of_whole(result, metric, baseline, len(ours.groups))
    if not newcomer:
        both = stats.moderated(stats.moderated(own, known), prior)
        first = second = both
    else:
        first, second = stats.moderated(own, prior), stats.moderated(known, prior)
    one = first or second  # a side without any spread is assumed to be like the other
    if one is not None:
        apart = 0.0 if newcomer else _interaction((ours, theirs), stored)
        return Spreads(first or one, second or one, interaction=apart)
    figure = baseline.figure(result.case, metric)
    sd = default_spread(result.definitions[metric], figure.margin if figure else None)
    sizes = [1] if ours.folds is None else np.unique(ours.folds, return_counts=True)[1]
    value = stats.Variance(sd**2 * stats.share_of_folds(sizes), math.inf)
    return Spreads(value, value, assumed=sd)


def default_spread(metric: Metric, margin: float | None) -> float:
    """Return the standard deviation between trainings that is assumed if none is known, in the metric's unit."""
    low, high = metric.range
    return ASSUMED_SHARE * (high - low) if math.isfinite(high - low) else ASSUMED_MARGINS * (margin or 1.0)


def is_rescored(ours: Sequence[SeedRun], theirs: Sequence[SeedRun]) -> bool:
    """Return whether both sides are the same trained models: their files are equal, or all their numbers are.

    Models with equal fingerprints were trained in the same way, but may differ, for example on another processor.
    """
    first, second = ({run.seed: run for run in side} for side in (ours, theirs))
    if first.keys() != second.keys():
        return False
    pairs = [(first[seed], second[seed]) for seed in first]
    return all(a.samples == b.samples or (a.file_digest == b.file_digest is not None) for a, b in pairs)


def _of_others(name: str, metric: str, baseline: Baseline) -> stats.Variance | None:
    """Return the variance of the baseline's recipe: the stored one, else the pool of the other cases."""
    found = _variance(baseline.spreads.get(metric))
    if found is None:
        for other in baseline.cases:
            if other != name:
                found = stats.moderated(found, baseline.spread_of(other, metric))
    return None if found is None else stats.Variance(found.value, min(found.freedom, PRIOR_WEIGHT))


def _of_whole(result: CaseResult, metric: str, baseline: Baseline, n: int) -> stats.Variance | None:
    """Return the variance of a subgroup of n samples, expected from the known one over all samples; None without one.

    The mean over a subgroup varies more between trainings: at most in inverse proportion to its number of samples.
    """
    whole, _ = Subgroup.parse(metric)
    found = baseline.spread_of(result.case, whole) or _of_others(result.case, whole, baseline)
    return None if found is None else stats.Variance(found.value * result.samples.n / n, found.freedom)


def _interaction(sides: Sequence[Side | None], stored: Spread | None) -> float:
    """Return the variance over patients that trainings of a case do not share: stored, else the smaller known one."""
    if stored is not None:
        return stored.interaction**2
    known = [found for side in sides if side is not None and (found := side.interaction()) is not None]
    return min(known, default=0.0)


def _variance(spread: Spread | None) -> stats.Variance | None:
    return None if spread is None else stats.Variance(spread.sd**2, spread.trainings - 1)
