"""Against published means: which numbers of the publication and of the measurement make the interval."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats as sp

from btlib.evaluation import batch_mean
from btlib.evaluation.aggregate import per_sample
from btlib.gate import Baseline
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def welch(ours: np.ndarray, effect: float, mean: float, std: float, n: float) -> tuple[float, float, float]:
    """Difference and 95 % interval, by SciPy; samples of both sides count for less by the design effect."""
    sizes: Any = (len(ours) / effect, n / effect)
    found = sp.ttest_ind_from_stats(ours.mean(), ours.std(ddof=1), sizes[0], mean, std, sizes[1], equal_var=False)
    var = ours.var(ddof=1) / sizes[0], std**2 / sizes[1]
    freedom = sum(var) ** 2 / (var[0] ** 2 / (sizes[0] - 1) + var[1] ** 2 / (sizes[1] - 1))
    difference = float(ours.mean()) - mean
    half = float(sp.t.ppf(0.975, freedom) * difference / found.statistic)
    return difference, difference - half, difference + half


@pytest.mark.parametrize("groups", [60, 12])
@pytest.mark.parametrize(
    ("figure", "std", "n"),
    [
        ({"n": 600, "std": 0.2}, 0.2, 600),
        ({"n": 20, "std": 0.2}, 0.2, 20),
        ({"std": 0.07}, 0.07, 60),  # no n: as many as here
        ({"n": 600}, None, 600),  # no spread: that of here
        ({}, None, 60),
        ({"metric": "accuracy", "value": 0.7, "n": 600}, np.sqrt(0.21), 600),  # a proportion's own
        ({"metric": "accuracy", "value": 0.7, "n": 600, "std": 0.3}, 0.3, 600),
    ],
)
def test_the_interval_is_of_the_published_spread_and_n(
    figure: dict[str, float],
    std: float | None,
    n: int,
    groups: int,
    make_table: Table,
    published_baseline: Make,
    measured: Result,
) -> None:
    patients = [f"P{i * groups // 60}" for i in range(60)]
    result = measured(make_table(worse=0.1, wrong=13, patients=patients))
    metric = str(figure.get("metric", "dice"))
    ours = result.values(metric)
    effect = 1.0
    if groups < 60:
        sums = np.array([(ours - ours.mean())[[p == q for p in patients]].sum() for q in dict.fromkeys(patients)])
        effect = max(1.0, (sums**2).sum() * groups / (groups - 1) / (ours.var(ddof=1) * 60))
    baseline = published_baseline(**figure)
    verdict = judge_metric(result, metric, baseline)
    mean = float(figure.get("value", 0.9))
    expected = welch(ours, effect, mean, float(ours.std(ddof=1)) if std is None else std, n)
    assert (verdict.difference, verdict.low, verdict.high) == pytest.approx(expected, rel=1e-9)
    assert verdict.method == "unpaired, by patient"


def test_without_any_patient_the_interval_is_by_slice(
    make_table: Table, published_baseline: Make, measured: Result
) -> None:
    verdict = judge_metric(measured(make_table(patients=[None] * 60)), "dice", published_baseline(std=0.1))
    assert verdict.method == "unpaired, by sample"


def test_batches_are_of_the_size_of_the_run(make_table: Table, published_baseline: Make, measured: Result) -> None:
    """And the interval moves with the figure's own aggregation."""
    table = make_table(worse=0.05)
    result = measured(table, batch_mean_size=7)
    baseline = published_baseline(std=0.03, n=60, aggregation="batch-mean")
    verdict, plain = (
        judge_metric(result, "dice", baseline),
        judge_metric(result, "dice", published_baseline(std=0.03, n=60)),
    )
    value = batch_mean(per_sample(table, "dice"), 7)
    assert len({value, batch_mean(per_sample(table, "dice"), 16), per_sample(table, "dice").mean()}) == 3
    assert verdict.measured == value
    assert plain.measured == per_sample(table, "dice").mean()
    assert verdict.difference == pytest.approx(value - 0.9)
    shift = value - per_sample(table, "dice").mean()
    assert verdict.low == pytest.approx(plain.low + shift)
    assert verdict.high == pytest.approx(plain.high + shift)


@pytest.mark.parametrize(
    ("value", "std", "margin", "alone"),
    [
        (0.1, 0.03, 0.02, "improved"),
        (0.9, 0.03, 0.02, "pass"),
        (0.95, 0.3, 0.02, "inconclusive"),
        (1.0, 0.03, 0.02, "regressed"),
    ],
)
def test_no_word_on_quality_under_other_conditions(
    value: float,
    std: float,
    margin: float,
    alone: str,
    make_table: Table,
    published_baseline: Make,
    measured: Result,
    conditions: Conditions,
) -> None:
    """Neither on other samples nor on samples of unknown patients; the numbers are shown."""
    figure = {"value": value, "std": std, "margin": margin, "n": 60}
    usual = judge_metric(measured(make_table()), "dice", published_baseline(**figure))
    assert usual.status == alone
    other = conditions.model_copy(update={"split_name": "another", "image_size": 64})
    unlike = judge_metric(measured(make_table()), "dice", published_baseline(other, **figure))
    stranger = make_table(patients=[*(f"P{i}" for i in range(59)), None])
    unknown = judge_metric(measured(stranger), "dice", published_baseline(**figure))
    for verdict in (unlike, unknown):
        assert verdict.status == "not-comparable"
        assert (verdict.measured, verdict.baseline, verdict.margin) == (usual.measured, value, margin)
        assert (verdict.difference, verdict.low, verdict.high) == (usual.difference, usual.low, usual.high)
    assert unlike.reason.splitlines() == [
        "the baseline was measured under other conditions:",
        "split_name: measured 'slice-seed42', baseline 'another'",
        "image_size: measured 32, baseline 64",
    ]
    both = judge_metric(measured(stranger), "dice", published_baseline(other, **figure))
    assert both.reason.splitlines()[1:] == unlike.reason.splitlines()
    assert "too narrow" in both.reason.splitlines()[0]


def test_a_publication_has_no_images_to_render_otherwise(
    make_table: Table, published_baseline: Make, measured: Result, conditions: Conditions
) -> None:
    other = conditions.model_copy(update={"input_fingerprint": "i2"})
    for strict in (False, True):
        verdict = judge_metric(measured(make_table()), "dice", published_baseline(other, std=0.03), strict=strict)
        assert (verdict.status, verdict.reason) == ("pass", "")
