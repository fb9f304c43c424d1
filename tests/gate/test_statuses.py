"""Every status for a metric in which lower is better, without any variance, and with few patients."""

from collections.abc import Callable
from typing import Any

import pytest

from btlib.gate import Baseline
from btlib.gate.gate_options import GateOptions
from btlib.gate.rule import judge_metric
from btlib.gate.verdict import Verdict
from btlib.results import CaseResult
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


@pytest.mark.parametrize(
    ("mean", "by", "alpha", "status"),
    [
        (9.5, 0.0, 0.05, "improved"),
        (10.1, 0.0, 0.05, "pass"),
        (9.9, 0.0, 0.05, "pass"),
        (10.6, 0.0, 0.05, "pass"),  # a loss beyond chance, within the margin
        (10.9, 0.0, 0.05, "inconclusive"),
        (11.2, 0.0, 0.05, "regressed"),
        (10.0, 9.0, 0.05, "regressed"),
        (10.0, 9.0, 1e-9, "suspect"),
        (13.0, -9.0, 0.05, "pass"),  # worse in two thirds, better in the others
        (12.0, -9.0, 0.05, "pass"),
        (10.0, -6.0, 0.05, "improved"),
    ],
)
def test_a_distance_in_every_status(
    mean: float,
    by: float,
    alpha: float,
    status: str,
    distances: Table,
    distance_baseline: Make,
    measured_distances: Result,
) -> None:
    """The margin is 1 px, and the standard deviation between trainings 0.1 px."""
    baseline = distance_baseline(distances(10.0), margin=2.0 if mean in (12.0, 13.0) else 1.0)
    verdict = judge_metric(measured_distances(distances(mean, by)), "hd95", baseline, GateOptions(alpha=alpha))
    assert verdict.status == status
    assert verdict.difference == pytest.approx(mean + by / 3 - 10)
    assert verdict.low < verdict.difference < verdict.high
    assert (verdict.p < 0.5) == (verdict.difference > 0), "a longer distance is a loss"


@pytest.mark.parametrize(
    ("mean", "status"),
    [(10.0, "pass"), (9.5, "improved"), (10.5, "pass"), (11.0, "inconclusive"), (11.5, "regressed")],
)
def test_differences_without_any_variance(
    mean: float, status: str, distances: Table, distance_baseline: Make, measured_distances: Result
) -> None:
    """All samples differ by the same, and trainings are known to be equal."""
    verdict = judge_metric(measured_distances(distances(mean)), "hd95", distance_baseline(distances(10.0), spread=0.0))
    assert (verdict.status, verdict.difference) == (status, mean - 10)
    assert verdict.low == verdict.high == verdict.difference
    assert verdict.power is not None
    assert (verdict.power.detectable, verdict.power.p_pass) == (1.0, 1.0)
    assert verdict.p == float(mean <= 10)


@pytest.mark.parametrize("wrong", [0, 1, 60])
@pytest.mark.parametrize("published", [False, True])
def test_two_patients_say_nothing_about_others(
    published: bool, wrong: int, make_table: Table, measured_baseline: Make, published_baseline: Make, measured: Result
) -> None:
    """Neither if all is well nor if all is lost; three do."""
    for n, clear in ((2, False), (3, True)):
        patients = [f"P{i % n}" for i in range(60)]
        baseline = (
            published_baseline(metric="accuracy", value=1.0, std=0.0, n=60)
            if published
            else measured_baseline(make_table(patients=patients))
        )
        verdict = judge_metric(measured(make_table(wrong=wrong, patients=patients)), "accuracy", baseline)
        said = f"{n} patients say nothing about others: at least 3 are needed" in verdict.reason
        assert said == (not clear)
        assert (verdict.status == "inconclusive") == (not clear or wrong == 1)
        assert verdict.measured == pytest.approx(1 - wrong / 60)
        if clear and wrong != 1:
            assert verdict.status == ("pass" if wrong == 0 else "regressed")


def test_one_patient_is_inconclusive(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    table = make_table(patients=["P"] * 60)
    verdict = judge_metric(measured(table), "dice", measured_baseline(table))
    assert verdict.status == "inconclusive"
    assert "at least 2 groups, got 1" in verdict.reason


@pytest.mark.parametrize("trainings", [1, 3])
def test_power_is_that_of_the_comparison(
    trainings: int, make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    from btlib import stats

    tables = [make_table(wrong=3 + k) for k in range(trainings)]
    verdict = judge_metric(measured(*tables), "accuracy", measured_baseline(make_table(wrong=2), spread=0.03))
    ours, power = measured(*tables), verdict.power
    right = ours.seed_values("accuracy")
    spread = stats.moderated(stats.between_seeds(right), stats.Variance(0.03**2, 199))
    theirs = [float(i >= 2) for i in range(60)]
    found = stats.crossed(right, theirs, range(60), between_trainings=spread)
    assert power is not None
    assert power.p_pass == pytest.approx(stats.p_pass(found, 0.02, 0.025))
    assert power.detectable == pytest.approx(stats.detectable(found, 0.02, 0.025))
    more = stats.enough(found, 0.02, 0.025)
    assert (power.trainings, power.groups) == (more.trainings, more.groups)
    assert (power.n_trainings, power.n_groups) == (1, 60)


def test_values_are_shown_to_a_tenth_of_a_small_margin() -> None:
    numbers: dict[str, Any] = {
        "measured": 2.5e-5,
        "baseline": 1.9e-5,
        "difference": 6e-6,
        "low": 5e-6,
        "high": 7e-6,
        "p": 0.001,
    }
    shown = Verdict("lat", "lat", "regressed", "", margin=1e-6, **numbers).describe()
    assert "measured   0.0000250\n" in shown
    assert "[+0.0000050, +0.0000070]" in shown
