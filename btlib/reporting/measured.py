"""The value of a case that a verdict shows, also where the gate did not get as far as comparing it."""

from dataclasses import replace

import numpy as np

from btlib.baselines import Verdict
from btlib.evaluation.catalogue import METRICS
from btlib.results import CaseResult


def mean_value(result: CaseResult, metric: str) -> float | None:
    """The mean over slices and seeds; None where it was not measured or is undefined."""
    known = METRICS[metric]
    if not result.runs or not all(known.available(run.slices) for run in result.runs):
        return None
    value = float(np.mean([np.mean(known.of(run.slices)) for run in result.runs]))
    return value if np.isfinite(value) else None


def with_value(verdict: Verdict, result: CaseResult) -> Verdict:
    """A verdict with the measured value, which is known of every case that did not fail."""
    if verdict.measured is not None or result.failure is not None:
        return verdict
    return replace(verdict, measured=mean_value(result, verdict.metric))
