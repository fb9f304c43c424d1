"""Example of a benchmark case. Replace `Simple` by your own model; btlib calls only `prepare`.

The model needs no deep-learning framework and is trained in seconds, on a task of any channels, structures and classes.
Pixels of a structure are those above a threshold in one of the channels. The predicted class is the one whose mean
training image is nearest.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from btlib.cases import Prepared, Work, case, fit_or_load
from btlib.types import Predictions

SMOOTHING = 5  # side of the filter in pixels
SIDE = 8  # side of a thumbnail in pixels
MOST = 200  # number of training images with which thresholds are found
QUANTILES = (0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.99)  # of all pixels: thresholds that are tried


def smoothed(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images [n, channels, h, w] with less noise."""
    found = np.empty_like(images)
    for at in np.ndindex(images.shape[:2]):
        found[at] = cv2.blur(images[at], (SMOOTHING, SMOOTHING))
    return found


def thumbnails(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first channel of images [n, channels, h, w] as thumbnails [n, SIDE * SIDE]."""
    small = [cv2.resize(image[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel() for image in images]
    return np.array(small, np.float32).reshape(-1, SIDE * SIDE)


@dataclass
class Simple:
    """Model of thresholds and mean images.

    Attributes:
        channels: Channel of each structure, int64 [structures].
        thresholds: Intensity above which a pixel belongs to a structure, float64 [structures].
        means: Mean thumbnail of each class, float32 [classes, SIDE * SIDE].
    """

    channels: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    means: NDArray[np.float32]

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predict masks [n, structures, h, w] and classes [n, classes] for images [n, channels, h, w]."""
        return Predictions(
            mask_prob=self.masks(images) if len(self.thresholds) else None,
            class_prob=self.classes(images) if len(self.means) else None,
        )

    def masks(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return masks of the pixels above the thresholds."""
        above = smoothed(images)[:, self.channels] > self.thresholds[:, None, None]
        return np.asarray(above, np.float32)

    def classes(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return class probabilities, which are larger for nearer mean images."""
        distances = ((thumbnails(images)[:, None] - self.means) ** 2).mean(axis=2)
        likely = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))


def fit(work: Work) -> Simple:
    """Train on the training samples only."""
    n = len(work.train)
    some = np.sort(np.random.default_rng(work.seed).choice(n, min(n, MOST)))  # some of them twice: seeds differ
    images, masks = smoothed(np.array(work.train.images[some])), np.array(work.train.masks[some])
    found = [best_threshold(images, masks[:, k]) for k in range(len(work.task.structures))]
    return Simple(
        channels=np.array([channel for channel, _ in found], np.int64),
        thresholds=np.array([threshold for _, threshold in found]),
        means=class_means(work),
    )


def best_threshold(images: NDArray[np.float32], masks: NDArray[np.bool_]) -> tuple[int, float]:
    """Return the channel of images [n, channels, h, w] and the threshold of highest Dice with masks [n, h, w]."""

    def dice(channel: int, threshold: float) -> float:
        predicted = images[:, channel] > threshold
        return float(2 * (predicted & masks).sum() / max(predicted.sum() + masks.sum(), 1))

    tried = [
        (channel, float(threshold))
        for channel in range(images.shape[1])
        for threshold in np.quantile(images[:, channel], QUANTILES)
    ]
    return max(tried, key=lambda one: dice(*one))


def class_means(work: Work) -> NDArray[np.float32]:
    """Return the mean thumbnail of each class, or that of all samples for a class without training samples."""
    small, classes = thumbnails(work.train.images), len(work.task.classes)
    of_class = [small[np.array(work.train.labels) == k] for k in range(classes)]
    means = [(found if len(found) else small).mean(axis=0) for found in of_class]
    return np.array(means, np.float32).reshape(classes, SIDE * SIDE)


def save(model: Simple, folder: Path) -> None:
    """Write the model into a folder."""
    np.savez(folder / "model.npz", channels=model.channels, thresholds=model.thresholds, means=model.means)


def load(folder: Path) -> Simple:
    """Read the model from a folder."""
    with np.load(folder / "model.npz") as stored:
        return Simple(**stored)


@case("mine", "my model", has_mask=True, has_classes=True, any_size=True)
def prepare(work: Work) -> Prepared:
    """Train the model, or load it if the same model was trained before."""
    fitted = fit_or_load(work, "mine", lambda folder: fit(work), save=save, load=load)
    return fitted.prepared(fitted.model)
