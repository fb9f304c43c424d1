import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, jaccard_score

from btlib import metrics
from btlib.errors import PredictionError

MASKS = st.tuples(st.integers(1, 6), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@given(MASKS)
@settings(max_examples=40)
def test_dice_and_iou_agree_with_scikit_learn(masks):
    pred, truth = masks
    if pred.any() or truth.any():
        assert metrics.dice(pred, truth) == pytest.approx(f1_score(truth.ravel(), pred.ravel()), abs=1e-5)
        assert metrics.iou(pred, truth) == pytest.approx(jaccard_score(truth.ravel(), pred.ravel()), abs=1e-5)
    else:  # where scikit-learn says 0, two empty masks agree
        assert metrics.dice(pred, truth) == metrics.iou(pred, truth) == 1


@given(MASKS)
@settings(max_examples=40)
def test_both_are_symmetric_and_tied_by_their_identity(masks):
    pred, truth = masks
    dice, iou = metrics.dice(pred, truth), metrics.iou(pred, truth)
    assert dice == metrics.dice(truth, pred)
    assert 0 <= iou <= dice <= 1
    assert dice == pytest.approx(2 * iou / (1 + iou), abs=1e-5)


def test_the_formula_of_the_thesis_to_the_digit():
    pred, truth = np.zeros((5, 7), bool), np.zeros((5, 7), bool)
    pred[1:3, 2:6], truth[2:5, 3:6] = True, True
    assert [int(v) for v in metrics.counts(pred, truth)] == [3, 8, 9]
    assert metrics.dice(pred, truth) == (2 * 3 + 1e-6) / (8 + 9 + 1e-6)
    assert metrics.iou(pred, truth) == (3 + 1e-6) / (14 + 1e-6)


def test_a_miss_is_next_to_nothing():
    empty, full = np.zeros((4, 6), bool), np.ones((4, 6), bool)
    assert 0 < metrics.dice(empty, full) < 1e-6


def test_counts_of_a_stack_are_those_of_its_slices():
    rng = np.random.default_rng(0)
    pred, truth = rng.random((5, 6, 9)) > 0.5, rng.random((5, 6, 9)) > 0.3
    together = np.stack(metrics.counts(pred, truth), axis=1)
    assert together.tolist() == [[int(v) for v in metrics.counts(p, t)] for p, t in zip(pred, truth, strict=True)]


@pytest.mark.parametrize(
    ("pred", "truth", "problem"),
    [
        (np.zeros((4, 6)), np.zeros((4, 6), bool), "pred: expected bool"),
        (np.zeros((4, 6), bool), np.zeros((4, 6), np.uint8), "truth: expected bool"),
        (np.zeros((4, 6), bool), np.zeros((6, 4), bool), "shapes differ"),
        (np.zeros(4, bool), np.zeros(4, bool), "expected bool"),
    ],
    ids=["probabilities", "numbers", "transposed", "flat"],
)
def test_what_is_no_pair_of_masks_is_refused(pred, truth, problem):
    with pytest.raises(PredictionError, match=problem):
        metrics.counts(pred, truth)


def test_a_miss_is_a_dice_below_a_tenth() -> None:
    assert metrics.misses(np.array([0.0, 0.0999, 0.1, 1.0])).tolist() == [1, 1, 0, 0]
    assert metrics.misses(np.array([0.3, 0.5, 0.7]), below=0.5).tolist() == [1, 0, 0]
    assert metrics.misses(np.array([0.3])).dtype == np.float64


def test_shares_of_an_empty_mask() -> None:
    """Nothing predicted is a miss; without a true mask nothing can be found, and a false alarm is wrong altogether."""
    precision = metrics.precision_from_counts([3, 0, 0, 0], [4, 0, 5, 0], [8, 8, 0, 0])
    assert precision[:3].tolist() == [0.75, 0, 0]
    assert np.isnan(precision[3])
    sensitivity = metrics.sensitivity_from_counts([3, 0, 0], [4, 0, 5])
    assert sensitivity[[0, 2]].tolist() == [0.75, 0]
    assert np.isnan(sensitivity[1])


def test_predicted_and_true_pixels_are_not_confused() -> None:
    pred, truth = np.zeros((2, 3, 5), bool), np.zeros((2, 3, 5), bool)
    pred[0, 0, :4], truth[0, 0, 3:], truth[1] = True, True, True
    found = metrics.counts(pred, truth)
    assert [part.tolist() for part in found] == [[1, 0], [4, 0], [2, 15]]
    assert {part.dtype for part in found} == {np.dtype(np.int64)}


def test_formulas_are_of_counts_of_any_kind() -> None:
    for kind in (np.uint8, np.int64, np.float64):
        i, p, t = (np.array(v, kind) for v in ([100, 0], [200, 0], [120, 0]))
        assert metrics.dice_from_counts(i, p, t) == pytest.approx([200 / 320, 1], abs=1e-8)
        assert metrics.iou_from_counts(i, p, t) == pytest.approx([100 / 220, 1], abs=1e-8)
    assert metrics.EPSILON == 1e-6
