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
    """A predictor's answer for slices, in arrays that it cannot change afterwards: some reuse one buffer for all.

    Args:
        predictor: It is asked by slice numbers where it goes by those, else by images.
        numbers: Of the slices, int64 [n].
        images: Preprocessed slices, float32 [n, h, w].
    """
    return copied(ask_uncopied(predictor, numbers, images))


def ask_uncopied(predictor: Predictor, numbers: NDArray[np.int64], images: NDArray[np.float32]) -> Predictions:
    """As `ask`, in the predictor's own arrays."""
    if isinstance(predictor, SlicePredictor):
        return predictor.predict_slices(numbers, images)
    return predictor.predict(images)


def copied(predictions: Predictions) -> Predictions:
    """The same predictions in arrays of their own; what is none, or has parts that are no arrays, is refused later."""
    if not isinstance(predictions, Predictions):
        return predictions
    parts = (predictions.mask_prob, predictions.class_prob)
    # subclasses stay what they are: a masked array is refused, and must not look like one without a mask
    return Predictions(*(np.array(part, subok=True) if isinstance(part, np.ndarray) else part for part in parts))
