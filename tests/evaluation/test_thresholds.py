"""The curve of thresholds says what scoring at each of them would say."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from btlib import evaluate
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.thresholds import GRID, ThresholdCurve, best_threshold, counts_at, curve_of, threshold_curve
from btlib.types import Predictions
from tests.evaluation.saved_as import saved_as


def test_the_grid_is_of_steps_of_a_twentieth() -> None:
    assert [round(100 * threshold) for threshold in GRID] == list(range(5, 100, 5))
    assert {0.05, 0.3, 0.35, 0.65, 0.95} < set(GRID), "thresholds are written as one would"


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_probability_at_a_threshold_is_not_above_it(kind: type[np.floating]) -> None:
    """In the precision of the probabilities, as NumPy compares them with a number of Python's."""
    prob = np.array(GRID, dtype=kind)[None, None, None]
    area = counts_at(prob, np.ones((1, 1, 1, 19), bool))[1]
    assert area.tolist() == [[[18 - k for k in range(19)]]]
    assert area[0, 0].tolist() == [int((prob > threshold).sum()) for threshold in GRID]


@given(
    arrays(np.float32, (2, 2, 3, 5), elements=st.sampled_from(np.float32([0.0, 0.5, 0.65, 0.66, 0.95, 1.0]))),
    st.integers(0, 2**60 - 1),
)
def test_counts_are_those_of_a_comparison_at_each_threshold(prob: np.ndarray, bits: int) -> None:
    truth = np.array([bits >> k & 1 for k in range(60)], dtype=bool).reshape(2, 2, 3, 5)
    intersection, area = counts_at(prob, truth)
    for k, threshold in enumerate(GRID):
        np.testing.assert_array_equal(area[..., k], (prob > threshold).sum(axis=(2, 3)))
        np.testing.assert_array_equal(intersection[..., k], ((prob > threshold) & truth).sum(axis=(2, 3)))


class Ramp:
    """A probability that falls over the width, so that every threshold gives another mask."""

    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(np.broadcast_to(np.linspace(1, 0, images.shape[3], dtype=np.float32), images.shape), None)


class Known:
    """What it gives is of the images."""

    def require(self, ids: np.ndarray, kind: str = "samples") -> None: ...

    def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
        return Ramp().predict(images)


def test_the_curve_and_the_masks_are_those_that_are_scored(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(9, size=20)
    found = [evaluate(Ramp(), dataset, threshold=threshold, batch_size=4) for threshold in GRID]
    means = [float(per_sample(one.samples, "dice").mean()) for one in found]
    assert len(set(means)) > 10
    assert found[0].curve is not None
    assert found[0].masks is not None
    np.testing.assert_allclose(found[0].curve.dice, means, atol=1e-6)
    masks = np.unpackbits(found[0].masks, axis=3, count=20)
    assert masks.sum(axis=(2, 3)).tolist() == found[0].samples.overlap()[1].tolist()


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (([0.1, 0.2], [0.5]), "expected 2 values of Dice, got 1"),
        (([0.1], [0.5, 0.6]), "expected 1 values of Dice, got 2"),
        (([], []), "at least 1"),
        (([-0.1], [0.5]), "greater than or equal to 0"),
        (([1.1], [0.5]), "less than or equal to 1"),
        (([0.1], [-0.1]), "greater than or equal to 0"),
        (([0.1], [1.1]), "less than or equal to 1"),
    ],
)
def test_a_curve_that_is_none_is_refused(columns: tuple[list[float], list[float]], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ThresholdCurve(thresholds=columns[0], dice=columns[1])
    assert ThresholdCurve(thresholds=[0.0, 1.0], dice=[0.0, 1.0]).dice == [0.0, 1.0]


def test_masks_of_whole_numbers_are_counted_like_probabilities() -> None:
    intersection, area = counts_at(np.array([[[[0, 1, 1]]]], np.uint8), np.array([[[[True, True, False]]]]))
    assert intersection.tolist() == [[[1] * 19]]
    assert area.tolist() == [[[2] * 19]]


def test_each_prediction_has_its_truth() -> None:
    with pytest.raises(ValueError, match="zip"):
        counts_at(np.zeros((2, 1, 3, 5)), np.zeros((3, 1, 3, 5), bool))


class Offset:
    """Sees the mask, but says it with probabilities on both sides of 0.3."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def predict(self, images: np.ndarray) -> Predictions:
        self.asked += images[:, 0, 0, 0].tolist()
        return Predictions(np.where(images > 2, 0.33, 0.27).astype(np.float32), None)


def test_the_best_threshold_is_where_dice_is_highest(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(40, size=16)
    sees, at = Offset(), np.array([3, 7, 21, 30])
    assert best_threshold(sees, dataset.part(at)) == 0.3
    assert sees.asked == dataset.images[at, 0, 0, 0].tolist(), "it looked at other samples"
    at = np.append(np.arange(14, 40), [3, 6, 9])  # of other sizes than the first samples, whose tumours take turns
    areas = dataset.masks.sum(axis=(1, 2, 3))
    assert sorted(areas[at]) != sorted(areas[: len(at)])
    assert curve_of(Ramp(), dataset.part(at)) == evaluate(Ramp(), dataset, at, threshold=0.5).curve

    def at_threshold(threshold: float) -> float:
        return float(per_sample(evaluate(Ramp(), dataset, threshold=threshold).samples, "dice").mean())

    assert best_threshold(Ramp(), dataset) == max(GRID, key=lambda t: (round(at_threshold(t), 6), -t))


def test_there_is_no_best_threshold_without_slices_or_masks(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(6, size=16)
    with pytest.raises(PredictionError, match="no validation samples"):
        best_threshold(Ramp(), dataset.part(np.array([], dtype=np.int64)))

    class Classes:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(None, np.full((len(images), 3), 1 / 3))

    with pytest.raises(PredictionError, match="here: returned no masks"):
        best_threshold(Classes(), dataset, where="here")


def test_equal_thresholds_give_the_lowest(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(6, size=16)

    class Perfect:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(np.where(images > 2, 0.92, 0.27), None)

    curve = curve_of(Perfect(), dataset)
    assert [k for k, dice in enumerate(curve.dice) if dice == 1] == list(range(5, 18))
    assert best_threshold(Perfect(), dataset) == 0.3


def test_validation_samples_are_asked_for_before_and_in_batches(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(40, size=16)
    at = np.array([39, *range(20), 21])
    calls: list[tuple[object, ...]] = []

    class Spy(Known):
        def require(self, ids: np.ndarray, kind: str = "samples") -> None:
            calls.append((ids.tolist(), kind))

        def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
            assert images.dtype == np.float32
            assert images.flags.c_contiguous
            calls.append((ids.tolist(), images[:, 0, 0, 0].tolist()))
            return Ramp().predict(images)

    curve_of(saved_as(Spy()), replace(dataset, images=np.asfortranarray(dataset.images.astype(np.float64))).part(at))
    ids, corners = dataset.ids[at].tolist(), dataset.images[at, 0, 0, 0].tolist()
    assert calls == [(ids, "validation samples"), (ids[:16], corners[:16]), (ids[16:], corners[16:])]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ((np.zeros((6, 8, 16)), None), r"here: mask_prob: expected shape \(6, 1, 16, 16\), got \(6, 8, 16\)"),
        ((np.full((6, 16, 16), np.nan), None), "here: mask_prob: 1536 of 1536 values are not finite"),
        ((np.full((6, 16, 16), 1.5), None), "here: mask_prob: expected probabilities in 0…1"),
    ],
    ids=["shape", "NaN", "logits"],
)
def test_no_threshold_is_chosen_on_what_cannot_be_scored(
    parts: tuple[np.ndarray, None], problem: str, make_dataset: Callable[..., Dataset]
) -> None:
    class Wrong:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(*parts)

    with pytest.raises(PredictionError, match=problem):
        curve_of(Wrong(), make_dataset(6, size=16), where="here")


def test_saved_predictions_that_lack_samples_choose_no_threshold(make_dataset: Callable[..., Dataset]) -> None:
    class Lacks(Known):
        def require(self, ids: np.ndarray, kind: str = "samples") -> None:
            raise PredictionError(f"lacks {len(ids)} {kind}")

    with pytest.raises(PredictionError, match="lacks 4 validation samples"):
        best_threshold(saved_as(Lacks()), make_dataset(6, size=16).part(np.arange(4)))


def test_a_curve_is_rounded_to_six_digits_and_is_the_mean_of_samples() -> None:
    counts = np.zeros((2, 3, 1, 19), dtype=np.int64)
    counts[0] = np.array([1, 2, 3])[:, None, None]
    counts[1] = np.arange(3, 22)
    curve = threshold_curve(counts, np.array([[3], [4], [7]]))
    assert curve.thresholds == list(GRID)
    for k, area in enumerate(range(3, 22)):
        assert curve.dice[k] == round((2 / (area + 3) + 4 / (area + 4) + 6 / (area + 7)) / 3, 6)
