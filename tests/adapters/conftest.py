"""One small model in plain NumPy, to be written again in each framework, and images that tell axes apart."""

from collections.abc import Callable

import numpy as np
import pytest

WEIGHTS = np.array([[0.3, -0.2, 0.5], [0.1, 0.9, -0.4]], np.float32)
"""From mean and maximum of an image to the three classes."""


def mask_logits(images: np.ndarray) -> np.ndarray:
    """[n, h, w] of the same: a weight for each row, so that a transposed image has another mask."""
    return images * 4 - 2 + np.linspace(-1, 1, images.shape[1], dtype=np.float32)[:, None]


def class_logits(images: np.ndarray) -> np.ndarray:
    return np.stack([images.mean(axis=(1, 2)), images.max(axis=(1, 2))], axis=1) @ WEIGHTS


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def images() -> np.ndarray:
    """[n, 1, h, w]: height ≠ width, an odd side, and a number of samples that no batch size divides."""
    return np.random.default_rng(0).random((5, 1, 33, 48), dtype=np.float32)


@pytest.fixture
def expected(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask and class probabilities of the model."""
    return sigmoid(mask_logits(images[:, 0])), softmax(class_logits(images[:, 0]))


@pytest.fixture
def same(images: np.ndarray, expected: tuple[np.ndarray, np.ndarray]) -> Callable[..., None]:
    """Asserts that a predictor says what the model says."""

    def check(predictor: object, *, mask: bool = True, classes: bool = True, tolerance: float = 1e-6) -> None:
        said = predictor.predict(images)
        assert (said.mask_prob is not None, said.class_prob is not None) == (mask, classes)
        if mask:
            assert said.mask_prob.shape == images[:, 0].shape
            assert said.mask_prob == pytest.approx(expected[0], abs=tolerance)
        if classes:
            assert said.class_prob.shape == (len(images), 3)
            assert said.class_prob == pytest.approx(expected[1], abs=tolerance)

    return check
