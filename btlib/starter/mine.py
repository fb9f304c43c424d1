"""Example of a benchmark case. Replace `Simple` by your own model; btlib calls only `prepare`.

The model needs no deep-learning framework and is trained in a second. Bright pixels are predicted as tumour. The
predicted class is the one whose mean training image is nearest.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from btlib.cases import Prepared, Work, case, fit_or_load
from btlib.types import Predictions

SIDE = 8  # side of a thumbnail in pixels


def thumbnails(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first channel of images [n, channels, h, w] as thumbnails [n, SIDE * SIDE]."""
    small = [cv2.resize(image[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel() for image in images]
    return np.stack(small).astype(np.float32)


@dataclass
class Simple:
    """Model that consists of the mean thumbnail of each class, float32 [classes, SIDE * SIDE]."""

    means: NDArray[np.float32]

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predict masks [n, h, w] and classes [n, classes] for images [n, channels, h, w]."""
        grey = images[:, 0]
        brightest = grey.max(axis=(1, 2), keepdims=True)
        distances = ((thumbnails(images)[:, None] - self.means) ** 2).mean(axis=2)
        likely = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return Predictions(
            mask_prob=np.divide(grey, brightest, out=np.zeros_like(grey), where=brightest > 0).clip(0, 1),
            class_prob=likely / likely.sum(axis=1, keepdims=True),
        )


def fit(work: Work) -> Simple:
    """Train on the training samples only."""
    labels, small = np.array(work.train.labels), thumbnails(work.train.images)
    of_class = [small[labels == k] for k in range(len(work.task.classes))]
    return Simple(np.stack([found.mean(axis=0) if len(found) else small[0] for found in of_class]))


def save(model: Simple, folder: Path) -> None:
    """Write the model into a folder."""
    np.save(folder / "means.npy", model.means)


def load(folder: Path) -> Simple:
    """Read the model from a folder."""
    return Simple(np.load(folder / "means.npy"))


@case("mine", "my model", has_mask=True, has_classes=True)
def prepare(work: Work) -> Prepared:
    """Train the model, or load it if the same model was trained before."""
    fitted = fit_or_load(work, "mine", lambda folder: fit(work), save=save, load=load)
    return fitted.prepared(fitted.model)
