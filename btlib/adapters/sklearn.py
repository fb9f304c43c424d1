"""Classifiers in the style of scikit-learn behind the predictor protocol; the package itself is not needed for it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.arrays import refuse_empty
from btlib.errors import ModelError
from btlib.types import N_CLASSES, Predictions

Images = NDArray[np.float32]


class SklearnPredictor:
    """A fitted classifier on features of a slice, and a mask made by a function where there is one.

    Args:
        model: Has `predict_proba(features) → [n, k]` and `classes_`, labels among 0, 1, 2 (a `Pipeline` is fine).
        features: Slices float32 [n, h, w] → features [n, anything].
        mask: Slices float32 [n, h, w] → mask probabilities [n, h, w]; None predicts no masks.

    Attributes:
        device: "cpu".

    Raises:
        ModelError: The classifier's labels are not among 0, 1, 2.
    """

    device = "cpu"

    def __init__(
        self,
        model: Any,
        features: Callable[[Images], NDArray[Any]],
        mask: Callable[[Images], NDArray[Any]] | None = None,
    ) -> None:
        labels = np.asarray(model.classes_)
        if not set(labels.tolist()) <= set(range(N_CLASSES)):
            raise ModelError(
                f"expected labels among 0, 1, 2, the classifier knows {labels.tolist()}",
                mend="fit it on Dataset.labels as they are",
            )
        self.model = model
        self.features = features
        self.mask = mask
        self._columns = labels.astype(int)

    def predict(self, images: Images) -> Predictions:
        """Predictions for float32 [n, h, w]; a type that the classifier never saw has probability 0."""
        refuse_empty(images)
        classes = np.zeros((len(images), N_CLASSES))
        classes[:, self._columns] = self.model.predict_proba(self.features(images))
        return Predictions(None if self.mask is None else np.asarray(self.mask(images)), classes)
