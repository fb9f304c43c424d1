"""Compare the speed of each case with its baseline. It is measured in the case's cell, with device synchronisation."""

from typing import Any

import pytest

from btlib.plugin.benchmarks import recorded_clock
from btlib.plugin.run import Run
from btlib.runs.measuring import INFERENCE, TRAINING_STEP
from btlib.runs.measuring.speed import BATCHES, inference_figure, training_figure

_RECORDED = pytest.mark.benchmark(timer=recorded_clock)


@_RECORDED
@pytest.mark.btlib_measures(INFERENCE)
@pytest.mark.parametrize("batch_size", BATCHES)
def test_inference(bt_run: Run, bt_case: str, batch_size: int, benchmark: Any) -> None:
    assert bt_run.timing(benchmark, bt_case, INFERENCE, inference_figure(batch_size))


@_RECORDED
@pytest.mark.btlib_measures(TRAINING_STEP)
def test_training_step(bt_run: Run, bt_case: str, benchmark: Any) -> None:
    if not bt_run.timing(benchmark, bt_case, TRAINING_STEP, training_figure(bt_run.tier.recipe.batch_size)):
        pytest.skip(f"case {bt_case} is not trained here")
