"""A case that the baseline does not know is compared with its cases: the best one, or all that the user names."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from btlib.gate import Baseline, judge_new
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.gate_options import GateOptions
from btlib.gate.newcomers import judge_against
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]


@pytest.fixture
def three(make_table: Table, measured_baseline: Make) -> Baseline:
    """ "middle" and "best" are gated by Dice and accuracy, "masks" by Dice alone."""

    def case(worse: float, wrong: int, *metrics: str) -> BaselineCase:
        known = measured_baseline(make_table(worse=worse, wrong=wrong)).cases["X"]
        figures = [figure for figure in known.figures if figure.metric in metrics]
        return known.model_copy(update={"figures": figures})

    return measured_baseline(
        cases={
            "middle": case(0.1, 20, "dice", "accuracy"),
            "best": case(0.0, 0, "dice", "accuracy"),
            "masks": case(0.3, 0, "dice"),
        }
    )


@pytest.fixture
def mine(make_table: Table, measured: Result) -> CaseResult:
    """As good as "middle"."""
    return measured(make_table(worse=0.1, wrong=20), case="mine")


def test_one_verdict_for_each_metric_and_reference_that_has_it(mine: CaseResult, three: Baseline) -> None:
    found = judge_against(mine, three)
    assert [(v.case, v.metric, v.reference, v.status) for v in found] == [
        ("mine", "dice", "middle", "pass"),
        ("mine", "dice", "best", "regressed"),
        ("mine", "dice", "masks", "improved"),
        ("mine", "accuracy", "middle", "pass"),
        ("mine", "accuracy", "best", "regressed"),
    ]
    assert [v.reference for v in judge_against(mine, three, ["best"])] == ["best", "best"]
    assert judge_against(mine, three, []) == []


@pytest.mark.parametrize(
    ("references", "dice", "accuracy"),
    [
        (None, ("regressed", "best"), ("regressed", "best")),
        (["best", "middle"], ("regressed", "best"), ("regressed", "best")),
        (["masks", "middle"], ("pass", "middle"), ("pass", "middle")),
        (["masks"], ("improved", "masks"), ("missing-baseline", None)),
        ([], ("missing-baseline", None), ("missing-baseline", None)),
    ],
)
def test_the_best_reference_or_the_worst_verdict_of_those_named(
    references: list[str] | None,
    dice: tuple[str, str | None],
    accuracy: tuple[str, str | None],
    mine: CaseResult,
    three: Baseline,
) -> None:
    found = judge_new(mine, three, references)
    assert [(v.case, v.metric) for v in found] == [("mine", "dice"), ("mine", "accuracy")]
    assert [(v.status, v.reference) for v in found] == [dice, accuracy]


def test_a_metric_that_nobody_is_gated_by(mine: CaseResult, three: Baseline) -> None:
    (verdict,) = judge_new(replace(mine, metrics={"iou": 1}), three)
    assert (verdict.case, verdict.metric, verdict.status) == ("mine", "iou", "missing-baseline")
    assert verdict.reason == "no case of 'made' has a margin for it"
    assert verdict.failed


def test_strict_reaches_every_reference(mine: CaseResult, three: Baseline, conditions: Conditions) -> None:
    other = replace(mine, conditions=conditions.model_copy(update={"input_fingerprint": "i2"}))
    assert {v.status for v in judge_against(other, three, options=GateOptions(strict=True))} == {"not-comparable"}
    assert {v.status for v in judge_new(other, three, ["middle"], options=GateOptions(strict=True))} == {
        "not-comparable"
    }
    assert {v.status for v in judge_new(other, three, ["middle"])} == {"pass"}


def test_as_bad_as_the_weakest_reference_is_no_pass(make_table: Table, measured: Result, three: Baseline) -> None:
    """The best reference of each metric is compared; the other comparisons are information."""
    weak = measured(make_table(worse=0.3, wrong=20), case="mine")
    assert {(v.metric, v.reference, v.status) for v in judge_against(weak, three)} >= {
        ("dice", "masks", "pass"),
        ("accuracy", "middle", "pass"),
    }
    assert [(v.reference, v.status) for v in judge_new(weak, three)] == [("best", "regressed")] * 2
    good = measured(make_table(worse=0.0, wrong=0, seed=1), case="mine")
    found = judge_new(good, three)
    assert [(v.reference, v.status) for v in found] == [("best", "pass")] * 2
    assert [v.reason.splitlines()[-1] for v in found] == [
        f"best has the best {metric} of 'made'; name other references with --bt-against"
        for metric in ("dice", "accuracy")
    ]
    named = judge_new(good, three, ["best"])
    assert [(v.reference, v.status) for v in named] == [("best", "pass")] * 2
    assert not any("--bt-against" in v.reason for v in named)


def test_each_metric_has_a_best_reference_of_its_own(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """Named so that neither the first, the last nor the one that was best before is best."""
    sides = {"a": (0.2, 9), "b": (0.0, 9), "c": (0.2, 0), "d": (0.1, 20)}
    cases = {
        name: measured_baseline(make_table(worse=worse, wrong=wrong)).cases["X"]
        for name, (worse, wrong) in sides.items()
    }
    mine = measured(make_table(seed=1), case="mine")
    assert [(v.metric, v.reference) for v in judge_new(mine, measured_baseline(cases=cases))] == [
        ("dice", "b"),
        ("accuracy", "c"),
    ]


def test_the_best_reference_of_a_metric_in_which_lower_is_better(
    distances: Table, distance_baseline: Make, measured_distances: Result
) -> None:
    baseline = distance_baseline(far=distances(30.0), near=distances(10.0), middle=distances(20.0))
    mine = measured_distances(distances(20.1), case="mine")
    (found,) = judge_new(mine, baseline)
    assert (found.reference, found.status) == ("near", "regressed")
    assert {v.reference: v.status for v in judge_against(mine, baseline)} == {
        "far": "improved",
        "near": "regressed",
        "middle": "pass",
    }
    (named,) = judge_new(mine, baseline, ["far", "middle"])
    assert (named.reference, named.status) == ("middle", "pass")


def test_references_that_are_named_twice_or_in_another_order_give_the_same_verdict(
    mine: CaseResult, three: Baseline
) -> None:
    expected = judge_new(mine, three, ["best", "middle"])
    assert [(v.status, v.reference) for v in judge_new(mine, three, ["middle", "best", "middle"])] == [
        (v.status, v.reference) for v in expected
    ]


@pytest.mark.parametrize("references", [None, ["best"], ["nobody"]])
def test_a_failure_is_compared_with_no_reference(
    references: list[str] | None, measured: Result, three: Baseline
) -> None:
    failed = measured(case="mine", failure="timeout", message="too slow")
    for verdict in judge_new(failed, three, references):
        assert (verdict.status, verdict.reason, verdict.reference) == ("timeout", "too slow", None)


def test_what_cannot_be_compared_gets_no_advice_on_references(
    mine: CaseResult, three: Baseline, conditions: Conditions
) -> None:
    other = replace(mine, conditions=conditions.model_copy(update={"image_size": 7}))
    reasons = {verdict.reason for verdict in judge_new(other, three)}
    assert reasons == {"cannot be compared with the baseline:\nimage_size: measured 7, baseline 32"}
