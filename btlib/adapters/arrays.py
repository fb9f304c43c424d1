"""Any function on NumPy arrays behind the predictor protocol; what most adapters stand on."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.outputs import NUMPY, Outputs
from btlib.errors import ModelError, PredictionError
from btlib.types import Predictions

Layout = Literal["nhw", "nchw", "nhwc"]
"""Axes of what a model takes and gives: without channels, channels first (PyTorch, most of ONNX), channels last."""


class CallablePredictor:
    """A function as a predictor.

    Args:
        function: Takes float32 in the layout; returns `Predictions` where there is no mapping, else anything that the
            mapping understands.
        outputs: Where masks and classes are in what it returns.
        layout: Of its input and its mask: "nhw", "nchw" or "nhwc".
        channels: 1, or 3 for the slice three times.

    Attributes:
        device: Where it computes, such as "cpu", "gpu" or "cuda:1"; None where that is not known.

    Raises:
        ModelError: A number of channels that is neither 1 nor 3.
    """

    device: str | None = None

    def __init__(
        self,
        function: Callable[[NDArray[np.float32]], Any],
        outputs: Outputs | None = None,
        *,
        layout: Layout = "nhw",
        channels: int = 1,
    ) -> None:
        self.function = function
        self.outputs = outputs
        self.layout = layout
        self.channels = checked(channels)

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predictions for float32 [n, h, w]."""
        refuse_empty(images)
        raw = self.function(shaped(images, self.layout, self.channels))
        if self.outputs is None:
            return raw  # type: ignore[no-any-return]  # whoever scores it checks what it is
        return Predictions(*self.outputs.read(raw, NUMPY, channels_last=self.layout == "nhwc"))


def shaped(images: NDArray[np.float32], layout: Layout, channels: int) -> NDArray[np.float32]:
    """Slices [n, h, w] in a layout, each repeated over the channels."""
    if layout == "nhw":
        return images
    axis = 1 if layout == "nchw" else 3
    return np.repeat(np.expand_dims(images, axis), channels, axis)


def checked(channels: int) -> int:
    """The number of channels, which is 1 or 3."""
    if channels not in (1, 3):
        raise ModelError(f"expected 1 or 3 channels, got {channels}", mend="the slice goes in once or three times")
    return channels


def refuse_empty(images: NDArray[np.float32]) -> None:
    """A batch of nothing is told by its name: frameworks have a different riddle each."""
    if len(images) == 0:
        raise PredictionError("no images to predict", mend="give at least one slice")
