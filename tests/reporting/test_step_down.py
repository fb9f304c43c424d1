"""Suspected losses that Holm's step-down rejects are named in the comparison and on the page."""

from dataclasses import replace

import pytest

from btlib.gate.verdict import Verdict
from btlib.reporting.comparison import Comparison, Row
from btlib.reporting.write import _stepped
from btlib.runs import RunInfo


@pytest.fixture
def comparison(request: pytest.FixtureRequest) -> Comparison:
    """A red metric and two suspected ones of a family of four."""
    info = RunInfo.model_construct(alpha=request.param)
    loss = Verdict("A|x", "dice", "regressed", difference=-0.05, margin=0.02, family=4, p=0.01)
    found = (loss, replace(loss, status="suspect", p=0.015), replace(loss, metric="iou", status="suspect", p=0.026))
    row = Row(
        case="A|x", title="", status="regressed", verdicts=found, values={}, seeds=(1,), speeds={},
        peak_memory_mib=None, seconds=None, source="", notes=(),
    )  # fmt: skip
    return Comparison(info, (row,))


@pytest.mark.parametrize(
    ("comparison", "line"),
    [
        (0.05, ["- Holm's step-down over the whole suite also rejects: A\\|x dice."]),
        (0.12, ["- Holm's step-down over the whole suite also rejects: A\\|x dice, A\\|x iou."]),
        (0.01, []),
    ],
    indirect=["comparison"],
)
def test_the_step_down_uses_the_error_rate_of_the_run(comparison: Comparison, line: list[str]) -> None:
    assert _stepped(comparison) == line
