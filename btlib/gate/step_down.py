"""Holm's step-down over a suite: which losses are beyond chance once others are known to be. It is information only."""

from collections.abc import Sequence

import numpy as np

from btlib import stats
from btlib.gate.verdict import Verdict


def step_down(verdicts: Sequence[Verdict], alpha: float) -> list[Verdict]:
    """Return the suspected losses that Holm's step-down rejects, although they are not below the line of the gate.

    The line of the gate is alpha / K for each of the K gated metrics of the baseline, so that a verdict does not depend
    on other cases. The step-down rejects at least as much. Metrics that were not measured count as unchanged.

    Args:
        verdicts: Verdicts of a run against one baseline.
        alpha: Error rate of the suite, between 0 and 1.
    """
    judged = [v for v in verdicts if v.p is not None and v.family is not None]
    if not judged:
        return []
    family = max(len(judged), max(v.family or 0 for v in judged))
    raw = np.ones(family)
    raw[: len(judged)] = [v.p for v in judged]
    corrected = stats.holm(raw)[: len(judged)]
    return [v for v, p in zip(judged, corrected, strict=True) if p < alpha and v.status == "suspect"]
