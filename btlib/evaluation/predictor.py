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


@runtime_checkable
class StoredPredictor(Protocol):
    """A `SlicePredictor` that knows which slices it has predictions of; it is asked before the first one is scored."""

    def require_slices(self, numbers: NDArray[np.int64], kind: str = "slices") -> None:
        """Raise PredictionError unless there is a prediction for each slice.

        Args:
            numbers: Of all slices that will be asked for, int64 [n].
            kind: What they are, for the message: "test slices".
        """
        ...


def require_slices(predictor: Predictor, numbers: NDArray[np.int64], kind: str) -> None:
    """Refuse a predictor that lacks slices, by all of them at once: batch by batch, the first would hide the others.

    Args:
        predictor: One that is no `StoredPredictor` passes: it predicts whatever it is given.
        numbers: Of all slices that will be asked for, int64 [n].
        kind: What they are, for the message: "test slices".

    Raises:
        PredictionError: It is a `StoredPredictor`, and lacks some.
    """
    if isinstance(predictor, StoredPredictor):
        predictor.require_slices(numbers, kind)


def ask(predictor: Predictor, numbers: NDArray[np.int64], images: NDArray[np.float32]) -> Predictions:
    """What a predictor says of slices: by their numbers [n] where it goes by those, else by the images [n, h, w]."""
    if isinstance(predictor, SlicePredictor):
        return predictor.predict_slices(numbers, images)
    return predictor.predict(images)
