"""Baselines whose spread between trainings is known, so that one training can be judged."""

from btlib.gate.baseline_case import Spread
from btlib.gate.schema import Baseline

SMALL = 0.002
"""Standard deviation between trainings, smaller than every margin in these tests."""


def known_spread(sd: float | None, *metrics: str) -> dict[str, Spread]:
    """The same spread for each metric, known from 200 trainings; none if `sd` is None."""
    return {} if sd is None else dict.fromkeys(metrics, Spread(sd=sd, trainings=200, source="test"))


def with_spread(baseline: Baseline, sd: float = SMALL) -> Baseline:
    """The baseline with the same spread for each gated metric of each case."""
    cases = {
        name: case.model_copy(update={"spread": known_spread(sd, *baseline.gated(name))})
        for name, case in baseline.cases.items()
    }
    return baseline.model_copy(update={"cases": cases})
