"""Power of a baseline before anything is run, and Holm's step-down after it."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib import Baseline, stats
from btlib.errors import BaselineError, UnknownNameError
from btlib.evaluation.aggregate import per_sample
from btlib.gate.baseline_case import Spread
from btlib.gate.gate_options import GateOptions
from btlib.gate.power import CORRELATION, expected_power
from btlib.gate.rule import judge
from btlib.gate.step_down import step_down
from btlib.gate.verdict import Verdict
from btlib.results import CaseResult
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def test_a_known_spread(make_table: Table, measured_baseline: Make) -> None:
    """With a stored interaction, the expected variance is that of two trainings, σ² (1/r + 1/R)."""
    known = Spread(sd=0.01, interaction=0.004, trainings=10, source="test")
    baseline = measured_baseline(make_table(wrong=6), spread=None)
    case = baseline.cases["X"].model_copy(update={"spread": {"dice": known, "accuracy": known}})
    baseline = baseline.model_copy(update={"cases": {"X": case}})
    for seeds in (1, 3):
        for row in expected_power(baseline, seeds):
            assert row.error == pytest.approx(0.01 * math.sqrt(1 / seeds + 1))
            assert (row.sd, row.freedom, row.assumed) == (pytest.approx(0.01), 9, False)
            found = stats.Crossed(0.0, 0.0, row.error**2, 9, 60, (seeds, 1))
            assert row.power.p_pass == pytest.approx(stats.p_pass(found, 0.02, 0.025))
            assert row.power.detectable == pytest.approx(stats.detectable(found, 0.02, 0.05 / 2))
    assert [row.metric for row in expected_power(baseline)] == ["dice", "accuracy"]
    stricter = expected_power(baseline, options=GateOptions(alpha=0.001))
    assert stricter[0].power.detectable > expected_power(baseline)[0].power.detectable


def test_one_training_without_a_spread(make_table: Table, measured_baseline: Make) -> None:
    """The wide spread is assumed, and the noise of the samples is counted for both sides."""
    table = make_table(wrong=6)
    (dice, accuracy) = expected_power(measured_baseline(table, spread=None))
    assert (dice.assumed, accuracy.assumed, dice.sd, dice.freedom) == (True, True, 0.05, math.inf)
    right = per_sample(table, "accuracy")
    alone = (1 - CORRELATION) * float(right.var(ddof=1)) / 60  # every sample of these tables has a patient of its own
    assert accuracy.error == pytest.approx(math.sqrt(2 * 0.05**2 + 2 * alone))


def test_seeds_of_the_baseline(make_table: Table, measured_baseline: Make) -> None:
    tables = [make_table(wrong=k) for k in (3, 6, 12)]
    (_, row) = expected_power(measured_baseline(*tables, spread=None), 3)
    means = [float(per_sample(table, "accuracy").mean()) for table in tables]
    assert row.sd == pytest.approx(float(np.std(means, ddof=1)))
    assert row.error == pytest.approx(row.sd * math.sqrt(2 / 3))
    assert row.freedom == 2


def test_what_has_no_power(measured_baseline: Make, published_baseline: Make) -> None:
    with pytest.raises(BaselineError, match="published numbers only"):
        expected_power(published_baseline())
    with pytest.raises(UnknownNameError, match="Y"):
        expected_power(measured_baseline(), cases=("Y",))


def losses(*p: float, status: str = "suspect", family: int = 4) -> list[Verdict]:
    """Verdicts with a loss of 0.05 at a margin of 0.02."""
    usual = Verdict("X", "dice", status, difference=-0.05, margin=0.02, family=family)  # type: ignore[arg-type]
    return [replace(usual, case=f"X{k}", p=one) for k, one in enumerate(p)]


def test_the_step_down_rejects_more_than_the_line_of_the_gate() -> None:
    """0.01 is below 0.05 / 4; then 0.015 is below 0.05 / 3; then 0.026 is not below 0.05 / 2."""
    first, second, third = losses(0.01, 0.015, 0.026)
    red = replace(first, status="regressed")
    assert step_down([red, second, third], 0.05) == [second]
    assert step_down([second, third], 0.05) == [], "the metric that was not run counts as unchanged"
    assert step_down([third, second, red], 0.05) == [second], "whatever the order"
    assert step_down([red, second, third], 0.12) == [second, third]


def test_the_step_down_names_suspected_losses_only() -> None:
    one, two = losses(0.001, 0.002)
    assert step_down([one, replace(two, status="inconclusive")], 0.05) == [one]
    assert step_down([replace(one, status="inconclusive")], 0.05) == []
    assert step_down([Verdict("X", "dice", "missing-baseline")], 0.05) == []
    assert step_down([], 0.05) == []


def test_the_verdicts_of_the_gate_can_be_stepped_down(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    found = judge(measured(make_table(wrong=12, worse=0.05)), measured_baseline())
    assert [v.family for v in found] == [2, 2]
    assert all(v in found for v in step_down(found, 0.05))
