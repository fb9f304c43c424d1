"""The red line: the error rate of a suite divided by the gated metrics of the baseline. Suspected losses."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.errors import OptionError
from btlib.evaluation import summarise
from btlib.gate import Baseline, Verdict, judge
from btlib.gate.gate_options import GateOptions
from btlib.gate.judgement import judge_run
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, Conditions
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


def with_copies(baseline: Baseline, n: int) -> Baseline:
    """The baseline with `n` cases that are alike; each has two gated metrics."""
    names = ["X", *(f"Y{k}" for k in range(1, n))]
    return baseline.model_copy(update={"cases": dict.fromkeys(names, baseline.cases["X"])})


@pytest.fixture
def lost(make_table: Table, measured: Result) -> Callable[[int], CaseResult]:
    """The case X with some samples wrong, of which the baseline has none."""
    return lambda wrong: measured(make_table(wrong=wrong))


def accuracy(result: CaseResult, baseline: Baseline, **options: Any) -> Verdict:
    return judge_metric(result, "accuracy", baseline, GateOptions(**options))


@pytest.mark.parametrize(("cases", "family"), [(1, 2), (2, 4), (8, 16)])
def test_a_p_at_the_line_is_not_below_it(
    cases: int, family: int, lost: Callable[[int], CaseResult], measured_baseline: Make
) -> None:
    """The numbers of metrics are powers of two, so that alpha / K is exact."""
    baseline = with_copies(measured_baseline(), cases)
    assert baseline.family == family
    p = accuracy(lost(5), baseline).p
    assert p is not None
    assert 0.005 < p < 0.025
    at = accuracy(lost(5), baseline, alpha=p * family)
    assert (at.status, at.red, at.family) == ("suspect", p, family)
    below = accuracy(lost(5), baseline, alpha=math.nextafter(p * family, 1))
    assert below.status == "regressed"
    assert below.red > p


def test_the_default_error_rate_is_five_percent_of_the_suite(
    lost: Callable[[int], CaseResult], measured_baseline: Make
) -> None:
    for cases in (1, 3, 50):
        verdict = accuracy(lost(5), with_copies(measured_baseline(), cases))
        assert verdict.red == pytest.approx(0.05 / (2 * cases))
        assert verdict.status == ("regressed" if cases == 1 else "suspect")


def test_a_suspected_loss_is_a_warning_that_names_the_family(
    lost: Callable[[int], CaseResult], measured_baseline: Make
) -> None:
    verdict = accuracy(lost(5), with_copies(measured_baseline(), 3))
    assert (verdict.status, verdict.failed) == ("suspect", False)
    assert "beyond chance for this metric alone, but not among the 6 gated metrics of the baseline" in verdict.reason
    assert "red below 0.0083 (6 gated metrics)" in verdict.describe()
    far = accuracy(lost(20), with_copies(measured_baseline(), 3))
    assert (far.status, far.failed) == ("regressed", True)
    assert "beyond chance" not in far.reason
    near = accuracy(lost(3), with_copies(measured_baseline(), 3))
    assert near.status == "inconclusive"
    assert near.difference is not None
    assert near.difference < -0.02
    assert near.p is not None
    assert near.p > 0.025, "as a loss is beyond the margin, but not beyond chance"


def test_a_loss_beyond_chance_within_the_margin_is_not_suspected(
    lost: Callable[[int], CaseResult], measured_baseline: Make
) -> None:
    verdict = accuracy(lost(6), measured_baseline(margin=0.15))
    assert verdict.p is not None
    assert verdict.p < 0.025
    assert verdict.difference is not None
    assert verdict.difference > -0.15
    assert verdict.status == "inconclusive"


def test_the_family_is_that_of_the_baseline_and_not_of_the_case(
    lost: Callable[[int], CaseResult], measured_baseline: Make
) -> None:
    """However many metrics are measured or asked for; figures without a margin do not count."""
    baseline = with_copies(measured_baseline(), 3)
    result = lost(5)
    for metrics in ({"accuracy": 1}, {"accuracy": 1, "dice": 1, "iou": 1}):
        found = {v.metric: v for v in judge(replace(result, metrics=metrics), baseline)}
        assert found["accuracy"].red == pytest.approx(0.05 / 6)
    case = baseline.cases["Y2"]
    open_ended = [figure.model_copy(update={"margin": None}) for figure in case.figures]
    fewer = baseline.cases | {"Y2": case.model_copy(update={"figures": open_ended})}
    smaller = baseline.model_copy(update={"cases": fewer})
    assert (smaller.family, accuracy(result, smaller).red) == (4, 0.0125)


def test_no_verdict_depends_on_which_cases_were_run(measured_baseline: Make, run_of: Callable[..., RunStore]) -> None:
    """One case alone, all of them, or with a company that is far worse."""
    baseline = with_copies(measured_baseline(), 3)
    alone = judge_run(run_of({"X": 5}), baseline).cases["X"]
    assert {v.metric: v.status for v in alone.verdicts} == {"dice": "pass", "accuracy": "suspect"}
    for company in ({"X": 5, "Y1": 0}, {"Y1": 40, "X": 5, "Y2": 5}):
        together = judge_run(run_of(company), baseline).cases["X"]
        assert together.verdicts == alone.verdicts


def test_stages_divide_every_level(lost: Callable[[int], CaseResult], measured_baseline: Make) -> None:
    """The bound of a pass, the line of suspicion and the red line."""
    baseline = measured_baseline(margin=0.15)
    once, staged = (accuracy(lost(2), baseline, looks=looks) for looks in (1, 3))
    assert (once.confidence, staged.confidence) == pytest.approx((0.95, 1 - 2 * 0.025 / 3))
    assert staged.red == pytest.approx(once.red / 3)
    assert staged.low < once.low
    assert staged.high > once.high
    tight = measured_baseline(margin=-(once.low + staged.low) / 2)
    assert [accuracy(lost(2), tight, looks=looks).status for looks in (1, 3)] == ["pass", "inconclusive"]
    many = with_copies(measured_baseline(), 50)
    assert [accuracy(lost(5), many, looks=looks).status for looks in (1, 3)] == ["suspect", "inconclusive"]
    few = with_copies(measured_baseline(), 2)
    assert [accuracy(lost(6), few, looks=looks).status for looks in (1, 3)] == ["regressed", "suspect"]


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.05, 5.0, math.nan, math.inf, True, False])
def test_an_error_rate_out_of_range_is_refused(alpha: float, measured_baseline: Make, measured: Result) -> None:
    with pytest.raises(OptionError, match=r"^alpha: expected a finite number from 1e-09 and below 1"):
        GateOptions(alpha=alpha)
    with pytest.raises(OptionError, match="alpha"):
        judge(measured(failure="error", message="m"), measured_baseline(), alpha=alpha)


@pytest.mark.parametrize("looks", [0, -1, 1.5, True, math.nan, None])
def test_a_number_of_stages_out_of_range_is_refused(looks: Any) -> None:
    with pytest.raises(OptionError, match=r"^looks: expected a whole number from 1"):
        GateOptions(looks=looks)


def test_the_levels_by_hand() -> None:
    assert GateOptions() == GateOptions(strict=False, alpha=0.05, looks=1, rescore=False)
    assert (GateOptions().level, GateOptions().red(1), GateOptions().red(0)) == (0.025, 0.05, 0.05)
    found = GateOptions(alpha=0.1, looks=3)
    assert found.level == pytest.approx(0.025 / 3), "alpha is of the suite, and not of a pass"
    assert found.red(4) == pytest.approx(0.1 / 12)


def test_judge_takes_every_option(lost: Callable[[int], CaseResult], measured_baseline: Make) -> None:
    baseline = measured_baseline(spread=0.03)
    found = judge(lost(5), baseline, strict=True, alpha=0.2, looks=2, rescore=True)
    options = GateOptions(strict=True, alpha=0.2, looks=2, rescore=True)
    assert found == tuple(judge_metric(lost(5), metric, baseline, options) for metric in ("dice", "accuracy"))
    assert found != judge(lost(5), baseline)


@pytest.fixture
def run_of(
    tmp_path_factory: pytest.TempPathFactory, make_table: Table, conditions: Conditions
) -> Callable[..., RunStore]:
    """A run of named cases, each with some samples wrong."""

    def record(case: str, table: SampleTable) -> CaseRecord:
        fields: dict[str, Any] = {"title": case, "tier": "smoke", "metrics": {"dice": 1, "accuracy": 1}, "seed": 1}
        fields |= {"outcome": "done", "error": None, "conditions": conditions, "samples": table, "seconds": 1.0}
        return CaseRecord(case=case, summary=summarise(table), environment={}, created="now", **fields)

    def make(wrong: dict[str, int]) -> RunStore:
        store = RunStore(tmp_path_factory.mktemp("run"))
        fields: dict[str, Any] = {"tier": "smoke", "command": "pytest", "baseline": "b.json", "task": PHANTOM}
        fields |= {"data": "60 samples", "started": "now", "cases": list(wrong), "seeds": [1], "image_size": 32}
        store.save_info(RunInfo(**fields))
        for case, number in wrong.items():
            store.save_record(record(case, make_table(wrong=number)))
        return store

    return make
