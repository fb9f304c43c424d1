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
        channels: How many the function wants: an image of one channel is repeated; None takes images as they are.

    Attributes:
        device: Where it computes, such as "cpu", "gpu" or "cuda:1"; None where that is not known.

    Raises:
        ModelError: A number of channels below 1.
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
        """Predictions for float32 [n, channels, h, w]."""
        raw = self.function(shaped(required(images), self.layout, self.channels))
        if self.outputs is None:
            return raw  # type: ignore[no-any-return]  # whoever scores it checks what it is
        return Predictions(*self.outputs.read(raw, NUMPY, channels_last=self.layout == "nhwc"))


def shaped(images: NDArray[np.float32], layout: Layout, channels: int | None) -> NDArray[np.float32]:
    """Images [n, channels, h, w] in a layout, one channel repeated where more are wanted.

    Raises:
        PredictionError: Several channels, where there can be one only or another number is wanted.
    """
    wanted = repeats(images.shape[1], 1 if layout == "nhw" else channels)
    images = np.repeat(images, wanted, axis=1)
    if layout == "nhw":
        return images[:, 0]
    return images if layout == "nchw" else np.ascontiguousarray(np.moveaxis(images, 1, 3))


def repeats(given: int, wanted: int | None) -> int:
    """How often the one channel of an image is repeated; 1 where it has what is wanted.

    Raises:
        PredictionError: An image of several channels, and another number is wanted.
    """
    if given not in (1, wanted) and wanted is not None:
        raise PredictionError(
            f"the model takes {wanted} channels, the images have {given}",
            hint="declare channels and layout of the predictor as the task's images are",
        )
    return 1 if wanted in (None, given) else wanted


def checked(channels: int | None) -> int | None:
    """A number of channels, which is at least 1, or None."""
    if channels is not None and channels < 1:
        raise ModelError(f"expected at least 1 channel, got {channels}", hint="leave channels out, or repeat the image")
    return channels


def required(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same images; what is no batch of images is told by its name: frameworks have a different riddle each.

    Raises:
        PredictionError: Another number of axes than [n, channels, h, w], or no image.
    """
    if images.ndim != 4:
        raise PredictionError(
            f"expected images [n, channels, h, w], got shape {images.shape}",
            hint="for images of one channel give images[:, None]",
        )
    if len(images) == 0:
        raise PredictionError("no images to predict", hint="give at least one sample")
    return images
