"""Evaluation is one NumPy implementation: nothing depends on batches, and nothing wrong gets through."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from btlib import evaluate
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation import batch_mean
from btlib.types import Predictions

Make = Callable[..., Dataset]


class Noisy:
    """Says what the slice itself says, so that its prediction does not depend on its neighbours in the batch."""

    def predict(self, images):
        mask = np.clip(images / 7, 0, 1)
        scores = np.exp(images.mean(axis=(1, 2)))[:, None] ** np.arange(3)
        return Predictions(mask, scores / scores.sum(axis=1, keepdims=True))


class Says:
    """Gives what it was told to."""

    def __init__(self, **parts):
        self.parts = parts

    def predict(self, images):
        n, h, w = images.shape
        return Predictions(**{"mask_prob": None, "class_prob": None} | {k: f(n, h, w) for k, f in self.parts.items()})


def test_the_batch_size_changes_nothing(make_dataset: Make):
    dataset = make_dataset(23)
    one, seven, all_at_once = (evaluate(Noisy(), dataset, batch_size=b).slices for b in (1, 7, 64))
    assert one == seven == all_at_once
    assert one.n == 23
    assert one.dice().std() > 0.01  # a table of equal numbers could not tell


def test_a_row_says_what_its_slice_is(make_dataset: Make):
    dataset = make_dataset(9)
    at = np.array([7, 2, 4])
    table = evaluate(Noisy(), dataset, at).slices
    assert table.number == [80, 30, 50]
    assert table.label == dataset.labels[at].tolist()
    assert table.patient == ["P003", "P001", "P002"]
    assert table.truth_area == dataset.masks[at].sum(axis=(1, 2)).tolist()
    pred = Noisy().predict(dataset.images[at]).mask_prob > 0.65
    assert table.pred_area == pred.sum(axis=(1, 2)).tolist()
    assert table.intersection == (pred & dataset.masks[at]).sum(axis=(1, 2)).tolist()


def test_a_transposed_mask_is_another_number(make_dataset: Make):
    """Squares off the diagonal: a mask turned over its diagonal misses most of them."""

    class Sees:
        def __init__(self, turn):
            self.turn = turn

        def predict(self, images):
            mask = (images > 2).astype(np.float32)
            return Predictions(np.swapaxes(mask, 1, 2) if self.turn else mask, None)

    dataset = make_dataset(12)
    assert evaluate(Sees(False), dataset).slices.dice().min() > 0.9
    assert evaluate(Sees(True), dataset).slices.dice().mean() < 0.6


def test_the_threshold_is_strict_and_on_probabilities(make_dataset: Make):
    """A pixel at the threshold is not in the mask."""
    at_it = Says(mask_prob=lambda n, h, w: np.full((n, h, w), 0.65))
    above = Says(mask_prob=lambda n, h, w: np.full((n, h, w), 0.6501))
    assert evaluate(at_it, make_dataset(3)).slices.pred_area == [0, 0, 0]
    assert evaluate(above, make_dataset(3)).slices.pred_area == [1024, 1024, 1024]
    assert evaluate(at_it, make_dataset(3), threshold=0.5).slices.pred_area == [1024, 1024, 1024]


def test_throughput_is_of_what_was_predicted(make_dataset: Make):
    evaluation = evaluate(Noisy(), make_dataset(9))
    assert evaluation.predict_seconds > 0
    assert evaluation.images_per_second == 9 / evaluation.predict_seconds


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, "gave neither masks nor classes"),
        ({"mask_prob": lambda n, h, w: np.zeros((n, 1, h, w))}, r"mask_prob: expected shape \(5, 32, 32\)"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), np.nan)}, "5120 of 5120 values are not finite"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), 3.0)}, "0…1, got 3…3\nTo mend it: apply a sigmoid"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), -0.1)}, "0…1, got -0.1"),
        ({"class_prob": lambda n, h, w: np.full((n, 4), 0.25)}, r"class_prob: expected shape \(5, 3\)"),
        ({"class_prob": lambda n, h, w: np.full((n, 3), 0.5)}, "must sum to 1, got 1.5"),
        ({"class_prob": lambda n, h, w: np.tile([np.nan, 0.5, 0.5], (n, 1))}, "not finite"),
    ],
    ids=["nothing", "an axis more", "NaN", "logits", "negative", "four classes", "no softmax", "NaN in a class"],
)
def test_what_cannot_be_scored_is_refused(parts, problem, make_dataset: Make):
    with pytest.raises(PredictionError, match=rf"case X: (.|\n)*{problem}"):
        evaluate(Says(**parts), make_dataset(5), where="case X")


def test_something_else_than_predictions(make_dataset: Make):
    class Bare:
        def predict(self, images):
            return images

    with pytest.raises(PredictionError, match="expected Predictions, got ndarray"):
        evaluate(Bare(), make_dataset(3))


def test_masks_in_one_batch_only(make_dataset: Make):
    class Forgetful:
        def predict(self, images):
            full = len(images) == 4
            return Predictions(np.zeros(images.shape) if full else None, np.full((len(images), 3), 1 / 3))

    with pytest.raises(PredictionError, match="gave masks for 4 of 6 slices"):
        evaluate(Forgetful(), make_dataset(6), batch_size=4)


def test_two_empty_masks_are_refused_by_name(make_dataset: Make):
    """They have no distance; the error says which slice it is, whatever the batch."""
    dataset = make_dataset(5)
    dataset.masks[3] = False
    nothing = Says(mask_prob=lambda n, h, w: np.zeros((n, h, w)))
    with pytest.raises(PredictionError, match=r"case X: slice 40: .* both empty(.|\n)*leave slices"):
        evaluate(nothing, dataset, batch_size=2, where="case X")


def test_no_slices_at_all(make_dataset: Make):
    with pytest.raises(PredictionError, match="no slices to score"):
        evaluate(Noisy(), make_dataset(6), np.array([], dtype=np.int64))


def test_the_mean_of_batch_means_is_another_number_than_the_slice_mean():
    """612 slices in batches of 16 leave 4 for the last, which weigh fourfold in the thesis's README."""
    values = np.concatenate([np.ones(608), np.zeros(4)])
    assert batch_mean(values, 16) == pytest.approx(38 / 39)
    assert values.mean() == pytest.approx(608 / 612)
    assert batch_mean(values[:608], 16) == 1


def test_masks_of_another_size_are_scored_at_the_protocols(make_dataset: Callable[..., Dataset]):
    """A model that works at half the size is held to the same pixels as all others."""
    large = make_dataset(6, size=32)
    small = replace(
        large, images=large.images[:, ::2, ::2], masks=large.masks[:, ::2, ::2], image_size=16, scaling="percentile"
    )
    shapes = []

    class Half:
        def predict(self, images: np.ndarray) -> Predictions:
            shapes.append(images.shape)
            return Predictions(small.masks.astype(np.float32), None)

    table = evaluate(Half(), small, truth=large, threshold=0.5).slices
    assert shapes == [(6, 16, 16)]
    assert table.truth_area == large.masks.sum(axis=(1, 2)).tolist()
    resized = np.stack(
        [cv2.resize(m.astype(np.float32), (32, 32), interpolation=cv2.INTER_LINEAR) for m in small.masks]
    )
    assert table.pred_area == (resized > 0.5).sum(axis=(1, 2)).tolist()
    assert table.dice().mean() > 0.8


def test_truth_of_other_slices_is_refused(make_dataset: Callable[..., Dataset]):
    class Any:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(np.zeros(images.shape), None)

    with pytest.raises(PredictionError, match="of different slices"):
        evaluate(Any(), make_dataset(6), truth=make_dataset(8))
