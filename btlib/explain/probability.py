"""Probability of one class from a predictor, as a score for occlusion maps."""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import OptionError, PredictionError
from btlib.evaluation.predictor import Predictor, copied
from btlib.evaluation.saved import SavedPredictions
from btlib.explain.occlusion import Score
from btlib.ranges import WHOLE


def probability_of(predictor: Predictor, label: int) -> Score:
    """Return a function that computes the probability of one class for any images.

    The function raises OptionError if there is no such class, and PredictionError without class probabilities.

    Raises:
        OptionError: The class is below 0.
        PredictionError: The predictor is saved predictions.
    """
    if label not in WHOLE:
        raise OptionError(f"expected a class of 0 or more, got {label}", where="occlusion")
    if isinstance(predictor, SavedPredictions):
        raise PredictionError(
            "saved predictions are found by the ids of samples, and a sample with a hidden patch has no id",
            where="occlusion",
            hint="explain the model itself",
        )

    def score(images: NDArray[np.float32]) -> NDArray[np.floating]:
        class_prob = copied(predictor.predict(images)).class_prob
        if class_prob is None:
            raise PredictionError(
                "the predictor returns no class probabilities to explain",
                where="occlusion",
                hint="explain a model with classes",
            )
        if label >= class_prob.shape[1]:
            raise OptionError(f"expected a class 0…{class_prob.shape[1] - 1}, got {label}", where="occlusion")
        return class_prob[:, label]

    return score
