"""Classifiers in the style of scikit-learn behind the predictor protocol; the package itself is not needed for it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.arrays import required
from btlib.errors import ModelError
from btlib.types import Predictions

Images = NDArray[np.float32]


class SklearnPredictor:
    """A fitted classifier on features of an image, and a mask made by a function where there is one.

    Args:
        model: Has `predict_proba(features) → [n, seen]` and `classes_`, labels among 0…c-1 (a `Pipeline` is fine).
        features: Images float32 [n, channels, h, w] → features [n, anything].
        mask: Images float32 [n, channels, h, w] → mask probabilities [n, structures, h, w] (one structure: [n, h, w]);
            None predicts no masks.
        classes: c, how many classes the task has; None for one more than the largest label that the model has seen.

    Attributes:
        device: "cpu".

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
                f"expected labels among 0…{max(self.classes - 1, 0)}, the classifier knows {labels.tolist()}",
                hint="fit it on work.train.labels as they are",
            )
        self.model = model
        self.features = features
        self.mask = mask
        self._columns = labels.astype(int)

    def predict(self, images: Images) -> Predictions:
        """Predictions for float32 [n, channels, h, w]; a class that the classifier never saw has probability 0."""
        classes = np.zeros((len(required(images)), self.classes))
        classes[:, self._columns] = self.model.predict_proba(self.features(images))
        return Predictions(None if self.mask is None else np.asarray(self.mask(images)), classes)
