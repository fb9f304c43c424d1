"""Variance between trainings of a case, from its own seeds and from the other cases of the baseline."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.evaluation.aggregate import per_sample
from btlib.gate.baseline_case import BaselineCase, Spread
from btlib.gate.schema import Baseline
from btlib.results import SeedRun

PRIOR_WEIGHT = 4.0
"""Largest weight of the other cases, in degrees of freedom. Spreads differ between cases, so the case's own trainings
must be able to outweigh theirs."""

Means = NDArray[np.float64]
"""Mean over samples of each training, float64 [trainings]."""


def between_trainings(
    ours: Means, theirs: Means, name: str, metric: str, baseline: Baseline, *, same: bool
) -> tuple[stats.Variance, stats.Variance] | None:
    """Return the variance between trainings of both sides of a comparison; None if no spread is known.

    Each variance is a mean of the case's own spread and that of the baseline's other cases, weighted by degrees of
    freedom (`stats.moderated`).

    Args:
        ours: Means of the measured trainings.
        theirs: Means of the trainings in the baseline.
        name: Case of the baseline.
        metric: Name of the metric.
        baseline: The baseline.
        same: Whether both sides are trainings of the same case. Then both have one variance.
    """
    prior = _of_others(name, metric, baseline)
    stored = _variance(baseline.cases[name].spread.get(metric))
    known = stored or stats.pooled([theirs])
    if same:
        own = stats.moderated(stats.moderated(stats.pooled([ours]), known), prior)
        return None if own is None else (own, own)
    first, second = stats.moderated(stats.pooled([ours]), prior), stats.moderated(known, prior)
    if first is None or second is None:
        only = first or second  # the other side is assumed to be alike
        return None if only is None else (only, only)
    return first, second


def is_rescored(ours: Sequence[SeedRun], theirs: Sequence[SeedRun]) -> bool:
    """Return whether both sides are the same trained models: by fingerprint, or because all their numbers are equal."""
    first, second = ({run.seed: run for run in side} for side in (ours, theirs))
    if first.keys() != second.keys():
        return False
    pairs = [(first[seed], second[seed]) for seed in first]
    return all(a.samples == b.samples or (a.fingerprint == b.fingerprint is not None) for a, b in pairs)


def _of_others(name: str, metric: str, baseline: Baseline) -> stats.Variance | None:
    """Return the variance of the baseline's recipe: the stored one, else the pool of the other cases."""
    found = _variance(baseline.spreads.get(metric))
    if found is None:
        for case in (case for other, case in baseline.cases.items() if other != name and metric in _gated(case)):
            means = [[float(per_sample(run.samples, metric).mean()) for run in case.runs]]
            found = stats.moderated(found, _variance(case.spread.get(metric)) or stats.pooled(means))
    return None if found is None else stats.Variance(found.value, min(found.freedom, PRIOR_WEIGHT))


def _gated(case: BaselineCase) -> set[str]:
    return {figure.metric for figure in case.figures if figure.margin is not None}


def _variance(spread: Spread | None) -> stats.Variance | None:
    return None if spread is None else stats.Variance(spread.sd**2, spread.trainings - 1)
