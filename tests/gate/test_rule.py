"""The rule of the gate at its bounds, for metrics of either direction, and the messages that follow from it."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy import stats as sp

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.gate import HOLDS, Baseline, Verdict
from btlib.gate.baseline_case import BaselineCase, ReferenceValue, Spread
from btlib.gate.rule import judge_metric, status_of
from btlib.gate.verdict import COULD_NOT_TELL, UNCLEAR, WORST_FIRST, Drift, Power, Status, exit_code, worst
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable, sample_table
from btlib.stats import Crossed

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]

MARGIN = 0.25
BY_SAMPLE = [*(name for name in METRICS if METRICS[name].level == "sample"), "dice/tumour", "hd95/tumour"]


SURE, RED = 0.025, 0.004
"""Levels of a single metric and of the suite."""


def gap(difference: float, error: float = 0.0, n_groups: int = 12) -> Crossed:
    return Crossed(difference, error**2, 0.0, n_groups - 1, n_groups, (1, 1))


@pytest.mark.parametrize(
    ("difference", "status"),
    [
        (1e-12, "pass"),  # above 0 by rounding alone
        (math.nextafter(1e-12, 1), "improved"),
        (0.0, "pass"),
        (math.nextafter(-MARGIN, 0), "pass"),
        (-MARGIN, "inconclusive"),  # a bound at the margin is not above it, and a loss of the margin not beyond it
        (math.nextafter(-MARGIN, -1), "regressed"),
    ],
)
def test_differences_that_all_samples_share(difference: float, status: Status) -> None:
    """Without any variance the bounds are the difference itself."""
    for sign in (1, -1):
        assert status_of(gap(sign * difference), MARGIN, sign, SURE, RED) == status


@pytest.mark.parametrize("sign", [1, -1])
def test_the_lower_bound_decides_on_a_pass(sign: int) -> None:
    """The bound is that of scipy's t; a bound at −margin is no pass, and one at 0 no improvement."""
    half = float(sp.t.ppf(1 - SURE, 11)) * 0.1
    bound = gap(0.05, 0.1).bound(SURE)
    assert bound == pytest.approx(0.05 - half)
    found = gap(sign * 0.05, 0.1)
    assert status_of(found, -bound, sign, SURE, RED) == "inconclusive"
    assert status_of(found, math.nextafter(-bound, 1), sign, SURE, RED) == "pass"
    assert status_of(gap(sign * (half + 1e-6), 0.1), MARGIN, sign, SURE, RED) == "improved"
    assert status_of(gap(sign * (half - 1e-6), 0.1), MARGIN, sign, SURE, RED) == "pass"
    assert status_of(gap(sign * (half - MARGIN + 1e-6), 0.1), MARGIN, sign, SURE, RED) == "pass"
    assert status_of(gap(sign * (half - MARGIN - 1e-6), 0.1), MARGIN, sign, SURE, RED) == "inconclusive"


@pytest.mark.parametrize("sign", [1, -1])
def test_the_p_of_no_loss_decides_on_a_regression(sign: int) -> None:
    """A p at the red line is not below it, and one at the level of the metric raises no suspicion."""
    found = gap(-sign * 0.3, 0.1)
    p = gap(-0.3, 0.1).p_above(0.0)
    assert p == pytest.approx(sp.t.cdf(-3, 11))
    assert status_of(found, MARGIN, sign, SURE, math.nextafter(p, 1)) == "regressed"
    assert status_of(found, MARGIN, sign, SURE, p) == "suspect"
    assert status_of(found, MARGIN, sign, math.nextafter(p, 1), p) == "suspect"
    assert status_of(found, MARGIN, sign, p, p) == "inconclusive"
    assert status_of(found, 0.3, sign, SURE, 0.5) == "inconclusive", "a loss of the margin is not beyond it"
    assert status_of(found, math.nextafter(0.3, 0), sign, SURE, 0.5) == "regressed"
    assert status_of(gap(sign * 0.3, 0.1), MARGIN, sign, SURE, RED) == "improved"


@pytest.mark.parametrize("difference", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_two_patients_say_nothing(sign: int, difference: float) -> None:
    assert status_of(gap(difference, 0.0, 2), MARGIN, sign, SURE, RED) == "inconclusive"
    worse = sign * difference < 0
    expected = "regressed" if worse else "improved" if difference else "pass"
    assert status_of(gap(difference, 0.0, 3), MARGIN, sign, SURE, RED) == expected


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("field", ["difference", "samples", "trainings"])
def test_a_number_that_is_not_finite_never_passes(field: str, sign: int, number: float) -> None:
    if field != "difference" and number < 0:
        number = math.nan  # no variance is below 0
    for n_groups in (2, 12):
        found = replace(gap(0.1 * sign, 0.001, n_groups), **{field: number})
        assert status_of(found, MARGIN, sign, SURE, RED) == "not-comparable"


def boundary_table(good: bool) -> SampleTable:
    """Twelve samples in which every metric of a sample is good, or bad in three of four; no two samples are alike."""
    n = 12
    hit = np.array([good or i % 4 == 0 for i in range(n)])
    truth = 300 + 7 * np.arange(n)
    labels = np.arange(n) % 3
    types = np.where(hit, labels, (labels + 1) % 3)
    measures = {
        "truth_area": truth,
        "intersection": np.where(hit, truth - np.arange(n), 0),
        "pred_area": np.where(hit, truth, 0),
        "hd95": np.where(hit, 1.5, 45.25),
        "surface_dice_1px": np.where(hit, 0.9, 0.0),
        "surface_dice_2px": np.where(hit, 0.95, 0.0),
        "hd95_mm": np.where(hit, 0.75, 22.5),
        "surface_dice_2mm": np.where(hit, 0.99, 0.0),
    }
    return sample_table(
        PHANTOM,
        [str(i + 1) for i in range(n)],
        [f"P{i}" for i in range(n)],
        labels=labels,
        measures={name: values[:, None] for name, values in measures.items()},
        class_prob=np.where(np.eye(3)[types] > 0, 0.8, 0.1),
    )


def baseline_of(table: SampleTable, metric: str, make: Make, kind: str) -> Baseline:
    """One case "X" that is gated by one metric with a thousandth of a percent for margin."""
    value = gated_value(table, metric, "slice-mean", 16)
    figure = ReferenceValue(
        metric=metric,
        value=value,
        aggregation="slice-mean",
        margin=1e-5,
        unit=METRICS[metric].unit,
        source="test",
        n=table.n,
        std=0.01,
    )
    spread = {metric: Spread(sd=0.001, trainings=9, source="test")}
    if kind == "published":
        return make(kind="published", cases={"X": BaselineCase(title="a case", figures=[figure], spread=spread)})
    plain = make(table)
    case = BaselineCase(title="a case", figures=[figure], runs=plain.cases["X"].runs, spread=spread)
    return plain.model_copy(update={"cases": {"X": case}})


@pytest.mark.parametrize("kind", ["measured", "published"])
@pytest.mark.parametrize("metric", BY_SAMPLE)
def test_worse_and_better_are_those_of_the_metric(
    metric: str, kind: str, measured_baseline: Make, measured: Result, conditions: Conditions
) -> None:
    under = conditions.model_copy(update={"n_test": 12})
    good, bad = boundary_table(True), boundary_table(False)
    for ours, theirs, status in ((bad, good, "regressed"), (good, bad, "improved")):
        baseline = baseline_of(theirs, metric, lambda *t, **c: measured_baseline(*t, conditions=under, **c), kind)
        verdict = judge_metric(measured(ours, under=under), metric, baseline)
        assert verdict.status == status
        assert verdict.measured is not None
        assert verdict.baseline is not None
        assert verdict.difference == pytest.approx(verdict.measured - verdict.baseline)


def test_the_words_are_a_closed_set() -> None:
    assert list(WORST_FIRST[:5]) == ["error", "out-of-memory", "timeout", "missing-baseline", "not-comparable"]
    assert list(WORST_FIRST[5:]) == ["regressed", "suspect", "inconclusive", "measured", "pass", "improved"]
    assert sorted(WORST_FIRST) == sorted(get_args(Status))
    assert set(UNCLEAR) == {"inconclusive", "suspect"}
    assert set(HOLDS) == {"improved", "pass", "measured"}
    assert set(COULD_NOT_TELL) == {"error", "out-of-memory", "timeout", "missing-baseline", "not-comparable"}


def verdicts(*statuses: Status) -> tuple[Verdict, ...]:
    return tuple(Verdict("X", "dice", status) for status in statuses)


@pytest.mark.parametrize("status", WORST_FIRST)
def test_what_fails_whatever_the_options(status: Status) -> None:
    assert Verdict("X", "dice", status).failed == (
        status not in ("improved", "pass", "measured", "inconclusive", "suspect")
    )


@pytest.mark.parametrize(
    ("statuses", "code", "strict_code"),
    [
        ([], 7, 7),
        (["improved"], 0, 0),
        (["pass", "measured", "improved"], 0, 0),
        (["pass", "inconclusive"], 0, 1),
        (["pass", "suspect"], 0, 1),
        (["suspect", "inconclusive"], 0, 1),
        (["suspect", "regressed"], 1, 1),
        (["pass", "regressed"], 1, 1),
        *(([status, "pass"], 7, 7) for status in COULD_NOT_TELL),
        (["error", "regressed", "pass"], 1, 1),  # a loss is a loss whatever else happened
        (["error", "inconclusive"], 7, 1),
        (["not-comparable", "suspect"], 7, 1),
    ],
)
def test_exit_codes(statuses: list[Status], code: int, strict_code: int) -> None:
    for order in (statuses, statuses[::-1]):
        assert exit_code(verdicts(*order)) == code
        assert exit_code(iter(verdicts(*order)), strict=True) == strict_code


def test_the_worst_is_seen_first() -> None:
    for i, worse in enumerate(WORST_FIRST):
        for better in WORST_FIRST[i:]:
            assert worst(verdicts(worse, better)) == worst(verdicts(better, worse)) == worse
    assert worst(()) == "error"


def test_a_verdict_in_full() -> None:
    verdict = Verdict(
        "X",
        "dice",
        "inconclusive",
        "one line\nand another",
        measured=0.8,
        baseline=0.75,
        margin=0.02,
        difference=-0.05,
        low=-0.1,
        high=0.025,
        confidence=0.99,
        p=0.031,
        red=0.05 / 12,
        family=12,
        method="by sample",
        spread=(0.0123, 0.03456),
        freedom=7.25,
        seeds=(0.6, 0.9, 0.9),
        baseline_seeds=(0.8, 0.7),
        reference="Y",
        power=Power(detectable=0.0625, p_pass=0.756, trainings=5, groups=80, n_trainings=2, n_groups=40),
    )
    assert verdict.describe().splitlines() == [
        "case X, dice compared with Y: INCONCLUSIVE",
        "  measured   0.8000 (3 seeds: 0.8000 ± 0.1732, 0.6000 … 0.9000)",
        "  baseline   0.7500, margin 0.02 (2 seeds: 0.7500 ± 0.0707, 0.7000 … 0.8000)",
        "  difference -0.0500, 99 % [-0.1000, +0.0250] (by sample)",
        "  trainings  standard deviation 0.0123 and 0.0346; 7.2 degrees of freedom",
        "  p          0.031; red below 0.0042 (12 gated metrics)",
        "  power      finds a loss of 0.0625 with 80 %; an unchanged case passes with 76 %",
        "             with 5 seeds on each side or with 80 patients instead of 40, an unchanged case would pass "
        "with 80 %",
        "  one line",
        "  and another",
    ]
    assert Verdict("X", "dice", "error").describe() == "case X, dice: ERROR"
    usual = replace(verdict, confidence=0.95)
    assert "95 % [-0.1000, +0.0250]" in usual.describe()
    staged = replace(verdict, confidence=1 - 0.05 / 3)
    assert "98.3 % [-0.1000, +0.0250]" in staged.describe()
    held = replace(verdict, status="pass").describe()
    assert "power      finds" in held
    assert "  p  " not in held
    assert "would pass" not in held
    for status in ("regressed", "suspect"):
        lost = replace(verdict, status=status).describe()
        assert "  p          0.031; " in lost
        assert "would pass" not in lost
    again = replace(verdict, spread=()).describe()
    assert "degrees of freedom" not in again
    part = Verdict("X", "dice", "error", baseline=0.5, difference=0.1, low=0.0)
    assert part.describe() == "case X, dice: ERROR"
    one = Verdict("X", "dice", "pass", measured=0.5, baseline=0.5, margin=0.1, seeds=(0.5,))
    assert one.describe() == "case X, dice: PASS\n  measured   0.5000\n  baseline   0.5000, margin 0.1"


@pytest.mark.parametrize(
    ("trainings", "groups", "p_pass", "advice"),
    [
        (
            5,
            80,
            0.5,
            "with 5 seeds on each side or with 80 patients instead of 40, an unchanged case would pass with 80 %",
        ),
        (5, None, 0.5, "with 5 seeds on each side, an unchanged case would pass with 80 %"),
        (None, 80, 0.5, "with 80 patients instead of 40, an unchanged case would pass with 80 %"),
        (None, None, 0.5, "neither more seeds alone nor more patients alone would decide: add both"),
        (2, 40, 0.9, "an unchanged case would pass with at least 80 %: run it again with other seeds"),
        (2, 40, 0.8, "an unchanged case would pass with at least 80 %: run it again with other seeds"),
        (1, 80, 0.5, "with 80 patients instead of 40, an unchanged case would pass with 80 %"),
    ],
)
def test_what_would_decide(trainings: int | None, groups: int | None, p_pass: float, advice: str) -> None:
    power = Power(0.1, p_pass, trainings, groups, n_trainings=2, n_groups=40)
    assert power.advice == advice


def test_a_drift_in_full() -> None:
    drift = Drift("regressed", "2025-02-03", 0.8, -0.05, -0.07, -0.03, 0.04)
    assert drift.describe() == (
        "compared with the numbers first accepted on 2025-02-03 (0.8000): regressed, difference -0.0500 "
        "[-0.0700, -0.0300], margin 0.04. If the loss is intended, accept the run with --move-first"
    )
