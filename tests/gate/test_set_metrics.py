"""Metrics of all samples together (macro F1, AUROC, calibration error) are judged by the same rule."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from btlib import Baseline, stats
from btlib.evaluation.catalogue import METRICS
from btlib.gate.baseline_case import ReferenceValue, Spread
from btlib.gate.newcomers import judge_against
from btlib.gate.power import expected_power
from btlib.gate.ranking import rankings
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, set_draws
from btlib.runs import RunStore
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]

SETS = [name for name in METRICS if METRICS[name].level == "set" and METRICS[name].needs == "classes"]


def gated(
    metric: str, *tables: SampleTable, base: Baseline, margin: float = 0.05, sd: float | None = 0.002
) -> Baseline:
    """The baseline whose case X has a margin for this metric of these tables, and no other."""
    value = float(np.mean([float(METRICS[metric].of(table)) for table in tables]))
    figure = ReferenceValue(metric=metric, value=round(value, 6), aggregation="none", margin=margin, source="test")
    spread = {} if sd is None else {metric: Spread(sd=sd, trainings=200, source="test")}
    case = base.cases["X"].model_copy(update={"figures": [figure], "spread": spread})
    changed = base.model_copy(update={"cases": {"X": case}})
    return Baseline.model_validate(changed.model_dump())


def test_there_are_such_metrics() -> None:
    assert {"macro_f1", "balanced_accuracy", "auroc", "ece"} <= set(SETS)


@pytest.mark.parametrize("metric", SETS)
def test_the_same_numbers_pass(metric: str, make_table: Table, measured_baseline: Make, measured: Result) -> None:
    table = make_table(wrong=6)
    verdict = judge_metric(measured(table), metric, gated(metric, table, base=measured_baseline(table)))
    assert (verdict.status, verdict.difference, verdict.method) == ("pass", 0, "paired by patient, the same models")


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
@pytest.mark.parametrize(("wrong", "status"), [(0, "improved"), (7, "pass"), (9, "inconclusive"), (45, "regressed")])
def test_a_loss(
    metric: str, wrong: int, status: str, make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    baseline = gated(metric, make_table(wrong=7), base=measured_baseline(make_table(wrong=7)))
    verdict = judge_metric(measured(make_table(wrong=wrong)), metric, baseline)
    assert verdict.status == status
    assert verdict.method == (
        "paired by patient, the same models" if wrong == 7 else "paired by patient, over trainings"
    )
    assert verdict.measured is not None
    assert verdict.difference == pytest.approx(verdict.measured - float(verdict.baseline or 0), abs=1e-6)


def test_the_calibration_error_is_better_if_lower(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    sure, unsure = make_table(wrong=0), make_table(wrong=40)
    assert METRICS["ece"].of(sure) < METRICS["ece"].of(unsure)
    worse = judge_metric(measured(unsure), "ece", gated("ece", sure, base=measured_baseline(sure)))
    better = judge_metric(measured(sure), "ece", gated("ece", unsure, base=measured_baseline(unsure)))
    assert (worse.status, better.status) == ("regressed", "improved")


def test_the_interval_covers_patients_and_trainings(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """As computed by hand from the draws that both sides share."""
    ours, theirs = (make_table(wrong=4), make_table(wrong=9)), (make_table(wrong=7), make_table(wrong=12))
    baseline = gated("macro_f1", *theirs, base=measured_baseline(*theirs), sd=None)
    result = measured(*ours)
    verdict = judge_metric(result, "macro_f1", baseline)
    a, b = (set_draws(runs, result.samples, "macro_f1") for runs in (result.runs, baseline.cases["X"].runs))
    between = stats.moderated(stats.pooled([a.values]), stats.pooled([b.values]))
    assert between is not None
    found = stats.crossed_from_draws(a.values, b.values, a.draws, b.draws, a.n_groups, between_trainings=between)
    assert (verdict.low, verdict.high) == pytest.approx((found.bound(0.025), found.bound(0.975)))
    assert verdict.seeds == pytest.approx(a.values.tolist())
    assert verdict.spread == pytest.approx((between.value**0.5,))
    assert verdict.power is not None


def test_an_unknown_spread_is_assumed(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    baseline = gated("macro_f1", make_table(wrong=7), base=measured_baseline(make_table(wrong=7), spread=None), sd=None)
    small, gross = (judge_metric(measured(make_table(wrong=k)), "macro_f1", baseline) for k in (12, 55))
    assert (small.status, gross.status) == ("inconclusive", "regressed")
    assert "0.05 is assumed" in small.reason


def test_too_few_patients_of_a_class_are_no_pass(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    """Two patients: half of the draws have no sample of some class or one patient only."""
    patients = [f"P{i // 30}" for i in range(60)]
    table, other = make_table(wrong=6, patients=patients), make_table(wrong=7, patients=patients)
    verdict = judge_metric(measured(other), "macro_f1", gated("macro_f1", table, base=measured_baseline(table)))
    assert verdict.status in ("inconclusive", "error")
    assert verdict.reason


def test_a_run_is_accepted_with_a_margin_for_it(folder: RunStore, tmp_path: Path) -> None:
    """`btlib baseline accept --margin macro_f1=0.03`."""
    from btlib.gate.acceptance import accept, propose

    proposal = propose(folder.path, "mine", "why", {"macro_f1": 0.03})
    accept(proposal, tmp_path / "mine.json")
    loaded = Baseline.load(tmp_path / "mine.json")
    assert loaded == proposal.new
    for name, case in loaded.cases.items():
        (figure,) = [figure for figure in case.figures if figure.metric == "macro_f1"]
        assert (figure.margin, figure.aggregation) == (0.03, "none")
        assert "macro_f1" in loaded.gated(name)
        result = loaded.result(name)
        assert result is not None
        verdict = judge_metric(result, "macro_f1", loaded)
        assert verdict.status == "error", "so few patients that draws lack a class"
        assert "draws" in verdict.reason
    (row, *_) = (row for row in expected_power(loaded) if row.metric == "macro_f1")
    assert row.power is None
    assert "draws" in row.note


def test_what_a_figure_of_all_samples_is(make_table: Table, measured_baseline: Make) -> None:
    base = gated("macro_f1", make_table(wrong=7), base=measured_baseline(make_table(wrong=7))).model_dump()
    for change, message in {
        "slice-mean": "expected the aggregation none",
        "class": "must be a sample or batch mean",
    }.items():
        base["cases"]["X"]["figures"][0]["aggregation"] = change
        with pytest.raises(ValueError, match=message):
            Baseline.model_validate(base)


def test_a_published_value_of_all_samples_has_no_interval(
    make_table: Table, published_baseline: Make, measured: Result
) -> None:
    baseline = published_baseline(metric="macro_f1", value=0.8, aggregation="none", n=60)
    verdict = judge_metric(measured(make_table(wrong=7)), "macro_f1", baseline)
    assert verdict.failed
    assert "no interval" in verdict.reason


def test_a_new_case(make_table: Table, measured_baseline: Make, measured: Result) -> None:
    baseline = gated("macro_f1", make_table(wrong=30), base=measured_baseline(make_table(wrong=30)))
    new = replace(measured(make_table(wrong=3)), case="new", metrics={"macro_f1": 1, "dice": 1})
    (verdict,) = judge_against(new, baseline)
    assert (verdict.status, verdict.reference) == ("improved", "X")
    (ranked,) = rankings(new, baseline)
    assert (ranked.rank, ranked.of, ranked.p_holm) == (1, 2, None)
