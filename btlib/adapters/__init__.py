"""Adapters from frameworks to the predictor protocol, one module each. A framework is imported when its adapter is."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from btlib.adapters.arrays import CallablePredictor
    from btlib.adapters.jax import JaxPredictor
    from btlib.adapters.keras import KerasPredictor, load_keras
    from btlib.adapters.onnx import OnnxPredictor
    from btlib.adapters.outputs import Outputs
    from btlib.adapters.saved import SavedPredictions, save_predictions
    from btlib.adapters.sklearn import SklearnPredictor
    from btlib.adapters.state import Progress
    from btlib.adapters.torch import TorchPredictor, load_torch

__all__ = [
    "CallablePredictor",
    "JaxPredictor",
    "KerasPredictor",
    "OnnxPredictor",
    "Outputs",
    "Progress",
    "SavedPredictions",
    "SklearnPredictor",
    "TorchPredictor",
    "load_keras",
    "load_torch",
    "save_predictions",
]

_HOMES = {
    "CallablePredictor": "arrays",
    "JaxPredictor": "jax",
    "KerasPredictor": "keras",
    "OnnxPredictor": "onnx",
    "Outputs": "outputs",
    "Progress": "state",
    "SavedPredictions": "saved",
    "SklearnPredictor": "sklearn",
    "TorchPredictor": "torch",
    "load_keras": "keras",
    "load_torch": "torch",
    "save_predictions": "saved",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"btlib.adapters.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'btlib.adapters' has no attribute {name!r}")
