"""Interface between btlib and models of any framework: NumPy arrays in, NumPy arrays out."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.saved import SavedPredictions
from btlib.types import Predictions


@runtime_checkable
class Predictor(Protocol):
    """Interface of a model that predicts masks, classes or both for images, in any framework."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predict a batch.

        Args:
            images: Preprocessed samples, float32 [n, channels, h, w], n ≥ 1.

        Returns:
            Mask probabilities [n, structures, h, w] and class probabilities [n, classes]; None for a part that the
            model does not predict. Masks may be [n, h, w] if the task has one structure.
        """
        ...


def require_all(predictor: Predictor, ids: NDArray[np.str_], kind: str) -> None:
    """Check that saved predictions have all samples. One check of all ids reports all missing samples at once.

    Args:
        predictor: Predictor; only saved predictions are checked.
        ids: Ids of all samples that will be predicted, text [n].
        kind: Description of the samples for the error message, such as "test samples".

    Raises:
        PredictionError: Saved predictions lack some of the samples.
    """
    if type(predictor) is SavedPredictions:  # a subclass belongs to a case and gets no ids
        predictor.require(ids, kind)


def require_known(predictor: Predictor, ids: NDArray[np.str_]) -> None:
    """Check that saved predictions have no samples outside the data set.

    Args:
        predictor: Predictor; only saved predictions are checked.
        ids: Ids of all samples of the data set, text [n].

    Raises:
        PredictionError: Saved predictions have other ids.
    """
    if type(predictor) is SavedPredictions:
        predictor.require_known(ids)


def ask(predictor: Predictor, ids: NDArray[np.str_], images: NDArray[np.float32]) -> Predictions:
    """Predict samples and copy the arrays, because some predictors reuse one buffer for all batches.

    Args:
        predictor: Predictor. It gets only the images; saved predictions are looked up by id instead.
        ids: Ids of the samples, text [n].
        images: Preprocessed samples, float32 [n, channels, h, w].
    """
    return copied(ask_uncopied(predictor, ids, images))


def ask_uncopied(predictor: Predictor, ids: NDArray[np.str_], images: NDArray[np.float32]) -> Predictions:
    """Predict samples as `ask`, but without copying the predictor's arrays."""
    if type(predictor) is SavedPredictions:  # a subclass belongs to a case and gets no ids
        return predictor.look_up(ids, images)
    return predictor.predict(images)


def copied(predictions: Predictions) -> Predictions:
    """Copy the arrays of predictions. Other objects are returned unchanged; later checks refuse them."""
    if not isinstance(predictions, Predictions):
        return predictions
    parts = (predictions.mask_prob, predictions.class_prob)
    # subok keeps subclasses: a masked array is refused later and must not be converted to a plain one here
    return Predictions(*(np.array(part, subok=True) if isinstance(part, np.ndarray) else part for part in parts))
