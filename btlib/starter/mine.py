"""A benchmark case to start from. Put your own model in place of `Simple`; `prepare` is all that btlib calls.

The model needs no deep-learning framework, and is trained in a second: bright pixels are tumour, and the type is that
whose mean training slice is nearest.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from btlib.cases import Prepared, Work, case, fit_or_load
from btlib.types import Predictions

SIDE = 8  # of a thumbnail, in pixels


def thumbnails(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slices [n, h, w] as thumbnails [n, SIDE * SIDE]."""
    small = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel() for image in images]
    return np.stack(small).astype(np.float32)


@dataclass
class Simple:
    """A model: the mean thumbnail of each tumour type, float32 [3, SIDE * SIDE]."""

    means: NDArray[np.float32]

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predictions for slices [n, h, w]: mask probabilities [n, h, w] and class probabilities [n, 3]."""
        brightest = images.max(axis=(1, 2), keepdims=True)
        distances = ((thumbnails(images)[:, None] - self.means) ** 2).mean(axis=2)
        likely = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return Predictions(
            mask_prob=np.divide(images, brightest, out=np.zeros_like(images), where=brightest > 0).clip(0, 1),
            class_prob=likely / likely.sum(axis=1, keepdims=True),
        )


def fit(work: Work) -> Simple:
    """Train on the training slices alone."""
    images, labels = work.dataset.images[work.split.train], work.dataset.labels[work.split.train]
    small = thumbnails(images)
    return Simple(np.stack([small[labels == k].mean(axis=0) if (labels == k).any() else small[0] for k in range(3)]))


def save(model: Simple, folder: Path) -> None:
    """Write the model into a folder."""
    np.save(folder / "means.npy", model.means)


def load(folder: Path) -> Simple:
    """Read the model from a folder."""
    return Simple(np.load(folder / "means.npy"))


@case("mine", "my model", has_mask=True, has_classes=True)
def prepare(work: Work) -> Prepared:
    """Train the model, or load it where the same one was trained before."""
    fitted = fit_or_load(work, "mine", lambda folder: fit(work), save=save, load=load)
    return fitted.prepared(fitted.model)
