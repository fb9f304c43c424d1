"""From a predictor to what a map is made of: the probability of one class."""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import OptionError, PredictionError
from btlib.evaluation.predictor import Predictor, copied
from btlib.evaluation.saved import SavedPredictions
from btlib.explain.occlusion import Score


def probability_of(predictor: Predictor, label: int) -> Score:
    """The probability that a predictor gives to one class, of any images.

    Raises:
        OptionError: A class below 0; when it is called: no such class.
        PredictionError: It is saved predictions; when it is called: it gives no class probabilities.
    """
    if label < 0:
        raise OptionError(f"expected a class from 0, got {label}", where="occlusion")
    if isinstance(predictor, SavedPredictions):
        raise PredictionError(
            "saved predictions are found by the ids of samples, and a sample with a patch hidden has none",
            where="occlusion",
            hint="explain the model itself",
        )

    def score(images: NDArray[np.float32]) -> NDArray[np.floating]:
        said = copied(predictor.predict(images)).class_prob
        if said is None:
            raise PredictionError(
                "gives no class probabilities to explain", where="occlusion", hint="explain a model with classes"
            )
        if label >= said.shape[1]:
            raise OptionError(f"expected a class 0…{said.shape[1] - 1}, got {label}", where="occlusion")
        return said[:, label]

    return score
