"""Activations that were applied twice are found, and models that have learnt little are not accused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from btlib.cases import Case, Prepared, Work
from btlib.conformance import Subject, examine
from btlib.conformance.activations import in_classes, in_masks
from btlib.data.dataset import Dataset
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42
from btlib.types import Predictions

Predict = Callable[[np.ndarray], Predictions]
Outcome = tuple[str, str]


class Model:
    def __init__(self, predict: Predict) -> None:
        self.predict = predict


@pytest.fixture
def found(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Callable[..., Outcome]:
    """Outcome and message of the check for a model."""

    def go(predict: Predict, source: Any = "given", *, mask: bool = True, classes: bool = True) -> Outcome:
        case = Case("mine", "", mask, classes, lambda work: Prepared(Model(predict), source))
        data, split = make_dataset(12), slice_seed42(12)
        work = Work.on(data, split, Protocol(image_size=32), Recipe(), 0, tmp_path)
        subject = Subject(case, work, data.part(np.arange(6)), data.images[:6], data.ids[split.test])
        (result,) = [one for one in examine(subject) if one.check == "double activation"]
        return result.outcome, result.message

    return go


def logits(images: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Class logits [n, 3] that grow with the image."""
    mean = images.mean(axis=(1, 2, 3)) - 1
    return scale * np.stack([mean, -mean, mean * 0], axis=1)


TWICE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid of a sigmoid": lambda x: expit(expit(3 * (x - 2))),
    "sigmoid of a small sigmoid": lambda x: expit(expit(0.2 * x - 0.1)),
    "sigmoid of a softmax": lambda x: expit(softmax(np.stack([x * 0, x - 2]), axis=0)[1]),
    "softmax of a softmax": lambda x: softmax(softmax(np.stack([x * 0, x - 2]), axis=0), axis=0)[1],
    "sigmoid of a mask": lambda x: expit((x > 2).astype(float)),
    "numpy alone": lambda x: 1 / (1 + np.exp(-1 / (1 + np.exp(-x.astype(np.float64))))),
}
ONCE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: expit(3 * (x - 2)),
    "untrained": lambda x: expit(0.1 * x),  # no probability is below 0.5 on these samples
    "hard": lambda x: (x > 2).astype(float),
    "constant": lambda x: np.full(x.shape, 0.6),
    "softmax": lambda x: softmax(np.stack([x * 0, x - 2]), axis=0)[1],
    "bright": lambda x: np.clip(x / 8, 0, 1),
    "16 bits": lambda x: expit(3 * (x - 2)).astype(np.float16),
}


@pytest.mark.parametrize("source", ["trained", "given"])
@pytest.mark.parametrize("name", TWICE)
def test_masks_of_two_activations_fail(name: str, source: str, found: Callable[..., Outcome]) -> None:
    outcome, message = found(lambda x: Predictions(TWICE[name](x), None), source, classes=False)
    assert outcome == "fail"
    assert "no mask probability is below 0." in message
    assert "Hint: apply one activation" in message


@pytest.mark.parametrize("name", ONCE)
def test_masks_of_one_activation_pass(name: str, found: Callable[..., Outcome]) -> None:
    assert found(lambda x: Predictions(ONCE[name](x), None), classes=False) == ("pass", "")


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_class_probabilities_of_two_activations_fail(scale: float, found: Callable[..., Outcome]) -> None:
    for inner in (softmax, lambda x, axis: expit(x)):

        def predict(images: np.ndarray, inner: Any = inner) -> Predictions:
            return Predictions(None, softmax(inner(logits(images, scale), axis=1), axis=1))

        outcome, message = found(predict, "trained", mask=False)
        assert outcome == "fail"
        assert "none more than 0.576" in message
        assert "Hint: apply one activation" in message


def test_both_parts_are_named_at_once(found: Callable[..., Outcome]) -> None:
    def predict(images: np.ndarray) -> Predictions:
        return Predictions(expit(expit(3 * (images - 2))), softmax(softmax(logits(images), axis=1), axis=1))

    outcome, message = found(predict)
    assert outcome == "fail"
    assert "no mask probability" in message
    assert "no class gets more" in message


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_class_probabilities_of_one_activation_pass(scale: float, found: Callable[..., Outcome]) -> None:
    predict = lambda images: Predictions(None, softmax(logits(images, scale), axis=1))  # noqa: E731
    assert found(predict, mask=False) == ("pass", "")


def scale_free(images: np.ndarray) -> Predictions:
    """An untrained model that divides its input by its own size: extreme images tell nothing."""
    share = images.mean(axis=(1, 2, 3)) / (np.abs(images).max(axis=(1, 2, 3)) + 1e-9)
    return Predictions(None, softmax(np.stack([share, share * 0, -share], axis=1), axis=1))


def test_a_model_that_may_just_be_uncertain_is_a_note_if_it_came_trained(found: Callable[..., Outcome]) -> None:
    outcome, message = found(scale_free, "given", mask=False)
    assert outcome == "note"
    assert "If the model is not simply uncertain: apply one activation" in message
    assert found(scale_free, "trained", mask=False) == ("pass", "")


def test_a_model_that_refuses_extreme_images_is_judged_by_samples(found: Callable[..., Outcome]) -> None:
    def strict(images: np.ndarray) -> Predictions:
        if np.abs(images).max() > 100:
            raise ValueError("not an image")
        return Predictions(expit(expit(9 * (images - 2))), None)

    assert found(strict, classes=False)[0] == "fail"
    assert "on samples)" in found(strict, classes=False)[1]


def test_values_that_are_not_finite_on_extreme_images_count_for_nothing(found: Callable[..., Outcome]) -> None:
    def fragile(images: np.ndarray) -> Predictions:
        with np.errstate(all="ignore"):
            return Predictions(np.where(images > 100, np.nan, expit(images - 2)), None)

    assert found(fragile, classes=False) == ("pass", "")


@given(st.integers(2, 9), st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_a_second_softmax_never_escapes_and_a_confident_first_one_always_does(c: int, seed: int, scale: float) -> None:
    raw = np.random.default_rng(seed).normal(0, scale, (20, c))
    once, extreme = softmax(raw, axis=1), softmax(raw * 1e6, axis=1)
    twice = [softmax(part, axis=1) for part in (once, extreme)]
    assert in_classes(once, extreme).evidence == "none"
    assert in_classes(*twice).evidence == "certain"


@given(st.integers(1, 4), st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_so_does_a_second_sigmoid(structures: int, seed: int, scale: float) -> None:
    raw = np.random.default_rng(seed).normal(0, scale, (3, structures, 5, 7))
    assert in_masks(expit(raw), expit(raw * 1e6), structures).evidence == "none"
    assert in_masks(expit(expit(raw)), expit(expit(raw * 1e6)), structures).evidence == "certain"


def test_of_a_single_class_nothing_can_be_said() -> None:
    assert in_classes(np.ones((4, 1)), np.ones((4, 1))).evidence == "none"
