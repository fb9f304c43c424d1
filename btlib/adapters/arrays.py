"""Adapter for functions on NumPy arrays. Most other adapters build on it."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.outputs import NUMPY, Outputs
from btlib.errors import ModelError, PredictionError
from btlib.types import Predictions

Layout = Literal["nhw", "nchw", "nhwc"]
"""Axes of a model's input and output: without channels, channels first (PyTorch, most ONNX files), channels last."""


class CallablePredictor:
    """Predictor that calls a function.

    Args:
        function: Function of a float32 array in the layout. Without `outputs` it returns `Predictions`, otherwise any
            value that `outputs` can read.
        outputs: Mapping that finds masks and classes in the returned value.
        layout: Layout of input and mask: "nhw", "nchw" or "nhwc".
        channels: Number of channels that the function expects. An image with one channel is repeated; None passes
            images unchanged.

    Attributes:
        device: Device that computes, such as "cpu", "gpu" or "cuda:1"; None if unknown.

    Raises:
        ModelError: The number of channels is below 1.
    """

    device: str | None = None

    def __init__(
        self,
        function: Callable[[NDArray[np.float32]], Any],
        outputs: Outputs | None = None,
        *,
        layout: Layout = "nhw",
        channels: int | None = None,
    ) -> None:
        self.function = function
        self.outputs = outputs
        self.layout = layout
        self.channels = checked(channels)

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Return predictions for float32 images [n, channels, h, w]."""
        raw = self.function(shaped(required(images), self.layout, self.channels))
        if self.outputs is None:
            return raw  # type: ignore[no-any-return]  # scoring checks the type
        return Predictions(*self.outputs.read(raw, NUMPY, channels_last=self.layout == "nhwc"))


def shaped(images: NDArray[np.float32], layout: Layout, channels: int | None) -> NDArray[np.float32]:
    """Convert images [n, channels, h, w] to a layout. A single channel is repeated if the model expects more.

    Raises:
        PredictionError: The images have several channels, but the layout has none or the model expects another number.
    """
    wanted = repeats(images.shape[1], 1 if layout == "nhw" else channels)
    images = np.repeat(images, wanted, axis=1)
    if layout == "nhw":
        return images[:, 0]
    return images if layout == "nchw" else np.ascontiguousarray(np.moveaxis(images, 1, 3))


def repeats(given: int, wanted: int | None) -> int:
    """Return how often to repeat the single channel of an image; 1 if the number of channels already fits.

    Raises:
        PredictionError: The image has several channels, and the model expects another number.
    """
    if given not in (1, wanted) and wanted is not None:
        raise PredictionError(
            f"the model expects {wanted} channels, the images have {given}",
            hint="set channels and layout of the predictor to match the task's images",
        )
    return 1 if wanted in (None, given) else wanted


def checked(channels: int | None) -> int | None:
    """Return the number of channels if it is None or at least 1; otherwise raise ModelError."""
    if channels is not None and channels < 1:
        hint = "leave channels out, or give a whole number from 1"
        raise ModelError(f"expected at least 1 channel, got {channels}", hint=hint)
    return channels


def required(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the images unchanged after checking that they are a batch.

    The check gives the same clear message for every framework.

    Raises:
        PredictionError: The axes are not [n, channels, h, w], or there is no image.
    """
    if images.ndim != 4:
        raise PredictionError(
            f"expected images [n, channels, h, w], got shape {images.shape}",
            hint="for images with one channel, use images[:, None]",
        )
    if len(images) == 0:
        raise PredictionError("no images to predict", hint="give at least one sample")
    return images
