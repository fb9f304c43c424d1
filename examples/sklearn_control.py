"""A simple control for every table: a threshold for the mask, and a random forest on features for the class.

    btlib check examples/sklearn_control.py::control
    pytest benchmarks -m smoke --bt-case examples/sklearn_control.py::control

No deep-learning framework is needed. A useful network should be better than this control.
"""

from functools import partial
from pathlib import Path

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from btlib import metrics
from btlib.adapters import SklearnPredictor
from btlib.cases import Prepared, Work, case, fit_or_load

QUANTILES = (0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
SIDE = 16


def brightest(images: NDArray[np.float32], quantile: float) -> NDArray[np.float32]:
    """Return masks [n, h, w] of the pixels that are brighter than a quantile of their smoothed image."""
    smooth = np.stack([cv2.blur(image[0], (3, 3)) for image in images])
    limits = np.quantile(smooth, quantile, axis=(1, 2), keepdims=True)
    return (smooth > limits).astype(np.float32)


def features(images: NDArray[np.float32], quantile: float) -> NDArray[np.float64]:
    """Return a thumbnail of each image, and centre and spread of its bright pixels: [n, SIDE² + 4]."""
    rows = []
    for image, mask in zip(images, brightest(images, quantile), strict=True):
        thumbnail = cv2.resize(image[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()
        y, x = np.nonzero(mask)
        place = [y.mean(), x.mean(), y.std(), x.std()] if len(y) else [0.0] * 4
        rows.append(np.concatenate([thumbnail, np.array(place) / len(mask)]))
    return np.stack(rows)


def fit(work: Work) -> tuple[RandomForestClassifier, float]:
    """Fit the forest; choose the quantile whose masks have the highest mean Dice on the training samples."""
    images, masks = np.array(work.train.images), np.array(work.train.masks)[:, 0]

    def dice(quantile: float) -> float:
        return float(metrics.dice_from_counts(*metrics.counts(brightest(images, quantile) > 0, masks)).mean())

    quantile = max(QUANTILES, key=dice)
    forest = RandomForestClassifier(n_estimators=200, class_weight="balanced", random_state=work.seed)
    return forest.fit(features(images, quantile), work.train.labels), quantile


def save(model: tuple[RandomForestClassifier, float], folder: Path) -> None:
    """Store the model in the folder."""
    joblib.dump(model, folder / "control.joblib", compress=3)


@case("control", "threshold and random forest", has_mask=True, has_classes=True)
def prepare(work: Work) -> Prepared:
    """Fit the model, or load it if it was already fitted on the same data with the same settings."""
    fitted = fit_or_load(
        work, "control", lambda folder: fit(work), save=save, load=lambda folder: joblib.load(folder / "control.joblib")
    )
    forest, quantile = fitted.model
    of_image, mask = (partial(function, quantile=quantile) for function in (features, brightest))
    predictor = SklearnPredictor(forest, of_image, mask, classes=len(work.task.classes))
    return fitted.prepared(predictor, details={"device": "cpu", "quantile": quantile})
