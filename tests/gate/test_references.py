"""A case that the baseline does not know: held against those that it knows, by the worst or the best of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from btlib.gate import Baseline, judge_new
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.rule import judge_against
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
        (None, ("improved", "masks"), ("pass", "middle")),
        (["best", "middle"], ("regressed", "best"), ("regressed", "best")),
        (["masks", "middle"], ("pass", "middle"), ("pass", "middle")),
        (["masks"], ("improved", "masks"), ("missing-baseline", None)),
        ([], ("missing-baseline", None), ("missing-baseline", None)),
    ],
)
def test_the_best_of_all_or_the_worst_of_those_named(
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
    assert {v.status for v in judge_against(other, three, strict=True)} == {"not-comparable"}
    assert {v.status for v in judge_new(other, three, ["middle"], strict=True)} == {"not-comparable"}
    assert {v.status for v in judge_new(other, three, ["middle"])} == {"pass"}
