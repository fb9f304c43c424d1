"""The framework-agnostic seam: NumPy in, NumPy out."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.saved import SavedPredictions
from btlib.types import Predictions


@runtime_checkable
class Predictor(Protocol):
    """Anything that turns samples into predictions, whatever framework it is made of."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predict for a batch.

        Args:
            images: Preprocessed samples, float32 [n, channels, h, w], n ≥ 1.

        Returns:
            Mask probabilities [n, structures, h, w] and class probabilities [n, classes], each None where the model has
            none; masks may be [n, h, w] where the task has one structure.
        """
        ...


def require_all(predictor: Predictor, ids: NDArray[np.str_], kind: str) -> None:
    """Refuse saved predictions that lack samples, by all of them at once: batch by batch, the first would hide others.

    Args:
        predictor: Any other passes: it predicts whatever it is given.
        ids: Of all samples that will be asked for, text [n].
        kind: What they are, for the message: "test samples".

    Raises:
        PredictionError: Saved predictions lack some.
    """
    if type(predictor) is SavedPredictions:  # a class derived from it is a case's own, and is given no ids
        predictor.require(ids, kind)


def ask(predictor: Predictor, ids: NDArray[np.str_], images: NDArray[np.float32]) -> Predictions:
    """A predictor's answer for samples, in arrays that it cannot change afterwards: some reuse one buffer for all.

    Args:
        predictor: It is given the images alone. Only saved predictions are looked up by id.
        ids: Of the samples, text [n].
        images: Preprocessed samples, float32 [n, channels, h, w].
    """
    return copied(ask_uncopied(predictor, ids, images))


def ask_uncopied(predictor: Predictor, ids: NDArray[np.str_], images: NDArray[np.float32]) -> Predictions:
    """As `ask`, in the predictor's own arrays."""
    if type(predictor) is SavedPredictions:  # a class derived from it is a case's own, and is given no ids
        return predictor.look_up(ids, images)
    return predictor.predict(images)


def copied(predictions: Predictions) -> Predictions:
    """The same predictions in arrays of their own; what is none, or has parts that are no arrays, is refused later."""
    if not isinstance(predictions, Predictions):
        return predictions
    parts = (predictions.mask_prob, predictions.class_prob)
    # subclasses stay what they are: a masked array is refused, and must not look like one without a mask
    return Predictions(*(np.array(part, subok=True) if isinstance(part, np.ndarray) else part for part in parts))
