"""The curve of thresholds says what scoring at each of them would say."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from btlib import evaluate
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation.thresholds import GRID, ThresholdCurve, best_threshold, counts_at, curve_of
from btlib.types import Predictions


@given(
    arrays(np.float32, (2, 3, 5), elements=st.sampled_from(np.float32([0.0, 0.5, 0.65, 0.66, 0.95, 1.0]))),
    st.integers(0, 2**30 - 1),
)
def test_counts_are_those_of_a_comparison_at_each_threshold(prob: np.ndarray, bits: int):
    truth = np.array([bits >> k & 1 for k in range(30)], dtype=bool).reshape(2, 3, 5)
    intersection, area = counts_at(prob, truth)
    for k, threshold in enumerate(GRID):
        np.testing.assert_array_equal(area[:, k], (prob > threshold).sum(axis=(1, 2)))
        np.testing.assert_array_equal(intersection[:, k], ((prob > threshold) & truth).sum(axis=(1, 2)))


class Ramp:
    """A probability that falls over the width, so that every threshold gives another mask."""

    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(np.broadcast_to(np.linspace(1, 0, images.shape[2], dtype=np.float32), images.shape), None)


def test_the_curve_and_the_masks_are_those_that_are_scored(make_dataset: Callable[..., Dataset]):
    dataset = make_dataset(9, size=20)
    found = [evaluate(Ramp(), dataset, threshold=threshold, batch_size=4) for threshold in GRID]
    means = [float(one.slices.dice().mean()) for one in found]
    assert len(set(means)) > 10
    assert found[0].curve is not None
    assert found[0].masks is not None
    np.testing.assert_allclose(found[0].curve.dice, means, atol=1e-6)
    masks = np.unpackbits(found[0].masks, axis=2, count=20)
    assert masks.sum(axis=(1, 2)).tolist() == found[0].slices.pred_area


def test_a_curve_of_two_lengths_is_refused():
    with pytest.raises(ValidationError, match="expected 2 values of Dice, got 1"):
        ThresholdCurve(thresholds=[0.1, 0.2], dice=[0.5])


class Offset:
    """Knows the mask, but says it with probabilities on both sides of 0.3."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.asked: list[int] = []

    def predict_slices(self, numbers: np.ndarray, images: np.ndarray) -> Predictions:
        self.asked += numbers.tolist()
        masks = self.dataset.masks[np.searchsorted(self.dataset.numbers, numbers)]
        return Predictions(np.where(masks, 0.33, 0.27).astype(np.float32), None)


def test_the_best_threshold_is_where_dice_is_highest(make_dataset: Callable[..., Dataset]):
    dataset = make_dataset(40, size=16)
    knows = Offset(dataset)
    at = np.array([30, 3, 7, 21] * 5)[:18]
    assert best_threshold(knows, dataset, np.unique(at)) == 0.3
    assert sorted(knows.asked) == dataset.numbers[[3, 7, 21, 30]].tolist(), "it looked at other slices"
    at = np.arange(12, 40)
    assert curve_of(Ramp(), dataset, at) == evaluate(Ramp(), dataset, at, threshold=0.5).curve
    assert best_threshold(Ramp(), dataset, np.arange(40)) == max(
        GRID, key=lambda t: (round(evaluate(Ramp(), dataset, threshold=t).slices.dice().mean(), 6), -t)
    )


def test_there_is_no_best_threshold_without_slices_or_masks(make_dataset: Callable[..., Dataset]):
    dataset = make_dataset(6, size=16)
    with pytest.raises(PredictionError, match="no validation slices"):
        best_threshold(Ramp(), dataset, np.array([], dtype=np.int64))

    class Classes:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(None, np.full((len(images), 3), 1 / 3))

    with pytest.raises(PredictionError, match="here: gave no masks"):
        best_threshold(Classes(), dataset, np.arange(6), where="here")
