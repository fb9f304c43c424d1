"""What is wrong with a model's output is told by evaluate(), through whatever adapter it comes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from btlib import evaluate
from btlib.adapters import CallablePredictor, JaxPredictor, Outputs, TorchPredictor
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError

MASK = Outputs(0, mask_kind="probabilities")
BAD = {
    "shape": (lambda x: x[:, :-1] * 0, r"mask_prob: expected shape \(6, 1, 32, 32\), got \(6, 31, 32\)"),
    "NaN": (lambda x: x * float("nan"), "mask_prob: 6144 of 6144 values are not finite"),
    "outside": (lambda x: x * 0 + 1.5, r"mask_prob: expected probabilities in 0…1, got 1\.5…1\.5"),
}
ADAPTERS = {
    "callable": lambda model: CallablePredictor(model, MASK),
    "torch": lambda model: TorchPredictor(lambda x: model(x[:, 0]), torch.device("cpu"), outputs=MASK),
    "jax": lambda model: JaxPredictor(lambda _, x: model(x), None, MASK, layout="nhw"),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_faults_are_told_alike(adapter: str, fault: str, make_dataset: Callable[..., Dataset]):
    model, message = BAD[fault]
    with pytest.raises(PredictionError, match=f"mine: {message}"):
        evaluate(ADAPTERS[adapter](model), make_dataset(6), where="mine")


def test_a_wrong_number_of_classes(make_dataset: Callable[..., Dataset]):
    four = CallablePredictor(lambda x: np.zeros((len(x), 4)), Outputs(classes=0))
    with pytest.raises(PredictionError, match=r"class_prob: expected shape \(6, 3\), got \(6, 4\)"):
        evaluate(four, make_dataset(6))


def test_a_crash_comes_through_as_it_is(make_dataset: Callable[..., Dataset]):
    def crash(x: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("by chance")

    with pytest.raises(ZeroDivisionError, match="by chance"):
        evaluate(CallablePredictor(crash, MASK), make_dataset(6))


def test_an_array_where_predictions_were_due(make_dataset: Callable[..., Dataset]):
    with pytest.raises(PredictionError, match="expected Predictions, got ndarray"):
        evaluate(CallablePredictor(lambda x: x), make_dataset(6))
