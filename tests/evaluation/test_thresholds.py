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
from btlib.evaluation.thresholds import GRID, ThresholdCurve, counts_at
from btlib.types import Predictions


@given(
    arrays(np.float32, (2, 3, 5), elements=st.sampled_from([0.0, 0.5, 0.65, 0.66, 0.95, 1.0])),
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
