"""Measured value of a case for its verdict, also if the gate could not compare it."""

import math
from dataclasses import replace

import numpy as np

from btlib.evaluation.aggregate import defined_mean
from btlib.gate import Verdict
from btlib.results import CaseResult


def mean_value(result: CaseResult, metric: str) -> float | None:
    """Return the mean over samples with a value, and over seeds; None if not measured or if no sample has a value."""
    if metric not in result.definitions:
        return None
    known = result.definitions[metric]
    if not result.runs or not all(known.available(run.samples) for run in result.runs):
        return None
    values = [np.atleast_1d(known.of(run.samples)) for run in result.runs]
    value = float(np.mean([defined_mean(of_seed) for of_seed in values]))
    return value if np.isfinite(value) else None


def with_value(verdict: Verdict, result: CaseResult) -> Verdict:
    """Return the verdict with the measured value; the verdict is unchanged if the case failed."""
    if verdict.measured is not None or result.failure is not None:
        return verdict
    return replace(verdict, measured=mean_value(result, verdict.metric))


def rounded(value: float) -> float:
    """Return a finite value for a baseline file: six decimals, and at least five significant digits if it is small.

    Scores of users may be small, such as seconds: six decimals alone would make 4e-7 s a 0.
    """
    small = 0 < abs(value) < 0.1
    return round(value, 4 - math.floor(math.log10(abs(value))) if small else 6)
