"""From a predictor to what a map is made of: the probability of one class."""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import OptionError, PredictionError
from btlib.evaluation.predictor import Predictor, SlicePredictor, copied
from btlib.explain.occlusion import Score
from btlib.types import N_CLASSES


def probability_of(predictor: Predictor, label: int) -> Score:
    """The probability that a predictor gives to one class, of any slices.

    Raises:
        OptionError: No such class.
        PredictionError: It goes by slice numbers; when it is called: it gives no class probabilities.
    """
    if label not in range(N_CLASSES):
        raise OptionError(f"expected a class 0…{N_CLASSES - 1}, got {label}", where="occlusion")
    if isinstance(predictor, SlicePredictor):
        raise PredictionError(
            "goes by slice numbers, and a slice with a patch hidden has none",
            where="occlusion",
            mend="explain the model itself",
        )

    def score(images: NDArray[np.float32]) -> NDArray[np.floating]:
        said = copied(predictor.predict(images)).class_prob
        if said is None:
            raise PredictionError(
                "gives no class probabilities to explain", where="occlusion", mend="explain a model with classes"
            )
        return said[:, label]

    return score
