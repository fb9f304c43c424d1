"""The framework-agnostic seam: NumPy in, NumPy out."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from btlib.types import Predictions


@runtime_checkable
class Predictor(Protocol):
    """Anything that turns slices into predictions, whatever framework it is made of."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predict for a batch.

        Args:
            images: Preprocessed slices, float32 [n, h, w], n ≥ 1.

        Returns:
            Mask probabilities [n, h, w] and class probabilities [n, 3], each None where the model has none.
        """
        ...


@runtime_checkable
class SlicePredictor(Protocol):
    """A predictor that goes by slice numbers, such as predictions made elsewhere; used instead of `predict`."""

    def predict_slices(self, numbers: NDArray[np.int64], images: NDArray[np.float32]) -> Predictions:
        """Predict for a batch.

        Args:
            numbers: Of the slices in the data set (`7.mat` is 7), int64 [n].
            images: Preprocessed slices, float32 [n, h, w], n ≥ 1.

        Returns:
            As `Predictor.predict`.
        """
        ...


def ask(predictor: Predictor, numbers: NDArray[np.int64], images: NDArray[np.float32]) -> Predictions:
    """What a predictor says of slices: by their numbers [n] where it goes by those, else by the images [n, h, w]."""
    if isinstance(predictor, SlicePredictor):
        return predictor.predict_slices(numbers, images)
    return predictor.predict(images)
