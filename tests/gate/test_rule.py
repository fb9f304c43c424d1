"""The rule of the gate at its bounds, for metrics of either direction, and the words that follow from it."""

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.gate import HOLDS, Baseline, Verdict
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.rule import Gap, judge_metric, three_way
from btlib.gate.verdict import COULD_NOT_TELL, WORST_FIRST, Status, exit_code, worst
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable, sample_table

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]

MARGIN = 0.25
BY_SAMPLE = [*(name for name in METRICS if METRICS[name].level == "sample"), "dice/tumour", "hd95/tumour"]


@pytest.mark.parametrize(
    ("difference", "low", "high", "status"),
    [
        (0.1, 1e-12, 0.2, "pass"),  # the interval excludes 0 by rounding alone
        (0.1, math.nextafter(1e-12, 1), 0.2, "improved"),
        (0.1, 1e-16, 0.2, "pass"),
        (0.1, 0.0, 0.2, "pass"),
        (0.1, -0.1, 0.3, "pass"),
        (-0.1, -0.2, -0.05, "pass"),
        (0.0, -0.25, 0.25, "inconclusive"),  # a bound at the margin is not above it
        (0.0, math.nextafter(-0.25, 0), 0.25, "pass"),
        (-0.25, -0.3, -0.2, "inconclusive"),  # a loss of the margin is not beyond it
        (math.nextafter(-0.25, -1), -0.3, -0.2, "regressed"),
        (-0.2, -0.3, -0.1, "inconclusive"),
        (-0.3, -0.6, 0.1, "inconclusive"),
        (-0.3, -0.6, 0.0, "inconclusive"),
        (-0.3, -0.6, -1e-16, "inconclusive"),
        (-0.3, -0.6, -1e-12, "inconclusive"),
        (-0.3, -0.6, math.nextafter(-1e-12, -1), "regressed"),
    ],
)
def test_the_bounds_of_the_rule(difference: float, low: float, high: float, status: Status) -> None:
    assert three_way(Gap(difference, low, high, ""), MARGIN) == status
    assert three_way(Gap(difference, low, high, ""), MARGIN, 1) == status
    assert three_way(Gap(-difference, -high, -low, ""), MARGIN, -1) == status


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
    if kind == "published":
        return make(kind="published", cases={"X": BaselineCase(title="a case", figures=[figure])})
    plain = make(table)
    case = BaselineCase(title="a case", figures=[figure], runs=plain.cases["X"].runs)
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
    assert list(WORST_FIRST[5:]) == ["regressed", "inconclusive", "measured", "pass", "improved"]
    assert sorted(WORST_FIRST) == sorted(get_args(Status))
    assert set(HOLDS) == {"improved", "pass", "measured"}
    assert set(COULD_NOT_TELL) == {"error", "out-of-memory", "timeout", "missing-baseline", "not-comparable"}


def verdicts(*statuses: Status) -> tuple[Verdict, ...]:
    return tuple(Verdict("X", "dice", status) for status in statuses)


@pytest.mark.parametrize("status", WORST_FIRST)
def test_what_fails_whatever_the_options(status: Status) -> None:
    assert Verdict("X", "dice", status).failed == (status not in ("improved", "pass", "measured", "inconclusive"))


@pytest.mark.parametrize(
    ("statuses", "code", "strict_code"),
    [
        ([], 7, 7),
        (["improved"], 0, 0),
        (["pass", "measured", "improved"], 0, 0),
        (["pass", "inconclusive"], 0, 1),
        (["pass", "regressed"], 1, 1),
        *(([status, "pass"], 7, 7) for status in COULD_NOT_TELL),
        (["error", "regressed", "pass"], 1, 1),  # a loss is a loss whatever else happened
        (["error", "inconclusive"], 7, 1),
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
        method="by sample",
        seeds=(0.6, 0.9, 0.9),
        baseline_seeds=(0.8, 0.7),
        reference="Y",
    )
    assert verdict.describe().splitlines() == [
        "case X, dice compared with Y: INCONCLUSIVE",
        "  measured   0.8000 (3 seeds: 0.8000 ± 0.1732, 0.6000 … 0.9000)",
        "  baseline   0.7500, margin 0.02 (2 seeds: 0.7500 ± 0.0707, 0.7000 … 0.8000)",
        "  difference -0.0500, 95 % [-0.1000, +0.0250] (by sample)",
        "  one line",
        "  and another",
    ]
    assert Verdict("X", "dice", "error").describe() == "case X, dice: ERROR"
    part = Verdict("X", "dice", "error", baseline=0.5, difference=0.1, low=0.0)
    assert part.describe() == "case X, dice: ERROR"
    one = Verdict("X", "dice", "pass", measured=0.5, baseline=0.5, margin=0.1, seeds=(0.5,))
    assert one.describe() == "case X, dice: PASS\n  measured   0.5000\n  baseline   0.5000, margin 0.1"
