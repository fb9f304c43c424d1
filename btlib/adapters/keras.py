"""Keras models, of whatever backend, behind the predictor protocol."""

from pathlib import Path
from typing import Any

from btlib import extras
from btlib.adapters.arrays import CallablePredictor, Layout
from btlib.adapters.outputs import Outputs
from btlib.errors import ModelError


class KerasPredictor(CallablePredictor):
    """A Keras model as a predictor, by its `predict_on_batch`.

    Args:
        model: The model, built.
        outputs: Where masks and classes are in what it returns.
        layout: Of its images and its mask.
        channels: How many it wants: an image of one channel is repeated; None takes images as they are.
    """

    def __init__(self, model: Any, outputs: Outputs, *, layout: Layout = "nhwc", channels: int | None = None) -> None:
        self.model = model
        self.device = _device(model)
        super().__init__(model.predict_on_batch, outputs, layout=layout, channels=channels)


def _device(model: Any) -> str | None:
    """Where the backend keeps the model's weights; None where it has none."""
    weight = next(iter(getattr(model, "weights", ())), None)
    value = getattr(weight, "value", weight)
    place = getattr(value, "device", None)
    return None if place is None else str(place)


def load_keras(
    path: Path | str, outputs: Outputs, *, layout: Layout = "nhwc", channels: int | None = None
) -> KerasPredictor:
    """A saved Keras model as a predictor; the environment variable KERAS_BACKEND says what it runs on.

    Args:
        path: A file written by `model.save("….keras")`.
        outputs: As for `KerasPredictor`, and so are the others.
        layout: Of its images and its mask.
        channels: As for `KerasPredictor`.

    Raises:
        MissingExtraError: Keras is not installed.
        ModelError: The file cannot be loaded.
    """
    with extras.named():
        import keras
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"Keras cannot load it: {error}", where=path, hint="give a file of model.save()") from error
    return KerasPredictor(model, outputs, layout=layout, channels=channels)
