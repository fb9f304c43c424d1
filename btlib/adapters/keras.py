"""Adapter for Keras models with any backend."""

from pathlib import Path
from typing import Any

from btlib import extras
from btlib.adapters.arrays import CallablePredictor, Layout
from btlib.adapters.outputs import Outputs
from btlib.errors import ModelError


class KerasPredictor(CallablePredictor):
    """Predictor that calls `predict_on_batch` of a Keras model.

    Args:
        model: Built Keras model.
        outputs: Mapping that finds masks and classes in the returned value.
        layout: Layout of images and mask.
        channels: Number of channels that the model expects. An image with one channel is repeated; None passes images
            unchanged.
    """

    def __init__(self, model: Any, outputs: Outputs, *, layout: Layout = "nhwc", channels: int | None = None) -> None:
        self.model = model
        self.device = _device(model)
        super().__init__(model.predict_on_batch, outputs, layout=layout, channels=channels)


def _device(model: Any) -> str | None:
    """Return the device of the model's first weight; None if it is unknown."""
    weight = next(iter(getattr(model, "weights", ())), None)
    value = getattr(weight, "value", weight)
    place = getattr(value, "device", None)
    return None if place is None else str(place)


def load_keras(
    path: Path | str, outputs: Outputs, *, layout: Layout = "nhwc", channels: int | None = None
) -> KerasPredictor:
    """Load a saved Keras model as a predictor. The environment variable KERAS_BACKEND selects the backend.

    Args:
        path: File written by `model.save("….keras")`.
        outputs: See `KerasPredictor`.
        layout: See `KerasPredictor`.
        channels: See `KerasPredictor`.

    Raises:
        MissingExtraError: Keras is not installed.
        ModelError: The file cannot be loaded.
    """
    with extras.named():
        import keras
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"Keras cannot load it: {error}", where=path, hint="give a file from model.save()") from error
    return KerasPredictor(model, outputs, layout=layout, channels=channels)
