"""How fast is each case? Measured with pytest-benchmark, the device synchronised; what has become slower fails."""

from typing import Any

import pytest

from btlib.evaluation.predictor import ask
from btlib.plugin.run import Run


@pytest.mark.parametrize("batch_size", [1, 16])
def test_inference(bt_run: Run, bt_case: str, batch_size: int, benchmark: Any) -> None:
    predictor = bt_run.prepared(bt_case).predictor
    ids, images = bt_run.batch(bt_case, batch_size)
    bt_run.throughput(
        benchmark, bt_case, f"inference, batch {batch_size}", batch_size, lambda: ask(predictor, ids, images)
    )


def test_training_step(bt_run: Run, bt_case: str, benchmark: Any) -> None:
    make_step = bt_run.prepared(bt_case).training_step
    if make_step is None:
        pytest.skip(f"case {bt_case} is not trained here")
    batch_size = bt_run.work.recipe.batch_size
    bt_run.throughput(benchmark, bt_case, f"training step, batch {batch_size}", batch_size, make_step(batch_size))
