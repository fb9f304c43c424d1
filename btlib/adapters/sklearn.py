"""Adapter for classifiers with the interface of scikit-learn. It does not import scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.arrays import required
from btlib.errors import ModelError
from btlib.types import Predictions

Images = NDArray[np.float32]


class SklearnPredictor:
    """Predictor with a fitted classifier on image features, and optionally a function for the mask.

    Args:
        model: Classifier with `predict_proba(features) → [n, seen]` and `classes_`, its labels among 0…c-1. A
            `Pipeline` works too.
        features: Function of float32 images [n, channels, h, w] → features [n, anything].
        mask: Function of float32 images [n, channels, h, w] → mask probabilities [n, structures, h, w] (one structure:
            [n, h, w]); None predicts no masks.
        classes: Number c of classes of the task; None for the largest label of the model plus one.

    Attributes:
        device: Device that computes, always "cpu".

    Raises:
        ModelError: The classifier's labels are not whole numbers among 0…c-1.
    """

    device = "cpu"

    def __init__(
        self,
        model: Any,
        features: Callable[[Images], NDArray[Any]],
        mask: Callable[[Images], NDArray[Any]] | None = None,
        classes: int | None = None,
    ) -> None:
        labels = np.asarray(model.classes_)
        whole = labels.dtype.kind in "iuf" and bool((labels == np.trunc(labels)).all())
        self.classes = int(labels.max()) + 1 if classes is None and whole and len(labels) else (classes or 0)
        if not whole or not set(labels.tolist()) <= set(range(self.classes)):
            raise ModelError(
                f"expected labels among 0…{max(self.classes - 1, 0)}, the classifier has {labels.tolist()}",
                hint="fit the classifier on work.train.labels without changing them",
            )
        self.model = model
        self.features = features
        self.mask = mask
        self._columns = labels.astype(int)

    def predict(self, images: Images) -> Predictions:
        """Return predictions for float32 images [n, channels, h, w]. A class absent from training has probability 0."""
        classes = np.zeros((len(required(images)), self.classes))
        classes[:, self._columns] = self.model.predict_proba(self.features(images))
        return Predictions(None if self.mask is None else np.asarray(self.mask(images)), classes)
