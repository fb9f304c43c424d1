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
