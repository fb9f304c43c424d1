"""Comparison with published means: the numbers of the publication and of the measurement that make the interval."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats as sp
from statsmodels.regression.linear_model import OLS

from btlib.evaluation import batch_mean
from btlib.evaluation.aggregate import per_sample
from btlib.gate import Baseline
from btlib.gate.gate_options import GateOptions
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def welch(
    ours: np.ndarray, patients: list[str], mean: float, std: float, n: float, trainings: float
) -> tuple[float, float, float]:
    """Difference and 95 % interval: Welch's for means of clusters, by statsmodels and SciPy.

    The published samples count for less by the design effect of ours. `trainings` is the variance of both trainings,
    which is known.
    """
    fit = OLS(ours, np.ones(len(ours))).fit(
        cov_type="cluster", cov_kwds={"groups": np.unique(patients, return_inverse=True)[1]}
    )
    groups = len(set(patients))
    mine = float(fit.bse[0] ** 2)
    size = n / max(1.0, mine / (ours.var(ddof=1) / len(ours)))
    parts = mine, std**2 / size
    freedom = (sum(parts) + trainings) ** 2 / (
        parts[0] ** 2 / (groups - 1) + parts[1] ** 2 / (size - 1) + trainings**2 / 199
    )
    difference = float(ours.mean()) - mean
    half = float(sp.t.ppf(0.975, freedom)) * np.sqrt(sum(parts) + trainings)
    return difference, difference - half, difference + half


@pytest.mark.parametrize("spread", [0.0, 0.03])
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
    spread: float,
    make_table: Table,
    published_baseline: Make,
    measured: Result,
) -> None:
    patients = [f"P{i * groups // 60}" for i in range(60)]
    result = measured(make_table(worse=0.1, wrong=13, patients=patients))
    metric = str(figure.get("metric", "dice"))
    ours = result.values(metric)
    baseline = published_baseline(**figure, spread=spread)
    verdict = judge_metric(result, metric, baseline)
    mean = float(figure.get("value", 0.9))
    expected = welch(ours, patients, mean, float(ours.std(ddof=1)) if std is None else std, n, 2 * spread**2)
    assert (verdict.difference, verdict.low, verdict.high) == pytest.approx(expected, rel=1e-9)
    assert verdict.method == "unpaired, by patient, over trainings"
    if groups == 60 and spread == 0:
        sides = (ours.mean(), ours.std(ddof=1), 60), (mean, float(ours.std(ddof=1)) if std is None else std, n)
        plain = sp.ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False, alternative="less")
        assert verdict.p == pytest.approx(plain.pvalue)


def test_a_published_case_without_a_known_spread_assumes_one_and_says_so(
    make_table: Table, published_baseline: Make, measured: Result
) -> None:
    """A gross loss is found. A small one is not, and the message names the command that measures the spread."""
    result = measured(make_table())
    small, gross = (
        judge_metric(result, "dice", published_baseline(spread=None, value=value, std=0.03, n=60))
        for value in (0.93, 1.0)
    )
    known = judge_metric(result, "dice", published_baseline(value=0.93, std=0.03, n=60))
    assert (small.status, known.status) == ("inconclusive", "regressed")
    for verdict in (small, gross):
        assert "a standard deviation of 0.05 is assumed" in verdict.reason
        assert "`btlib baseline spread`" in verdict.reason
    far = judge_metric(measured(make_table(worse=0.2)), "dice", published_baseline(spread=None, std=0.03, n=60))
    assert far.status == "regressed"


def test_without_any_patient_the_interval_is_by_slice(
    make_table: Table, published_baseline: Make, measured: Result
) -> None:
    verdict = judge_metric(measured(make_table(patients=[None] * 60)), "dice", published_baseline(std=0.1))
    assert verdict.method == "unpaired, by sample, over trainings"


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
    assert unlike.power is None, "more samples or seeds do not make them comparable"
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
        verdict = judge_metric(measured(make_table()), "dice", published_baseline(other, std=0.03), GateOptions(strict))
        assert verdict.status == "pass"
        assert "rendering" not in verdict.reason
