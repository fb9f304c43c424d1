import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from btlib import metrics
from btlib.errors import PredictionError

TYPES = st.integers(1, 30).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 2), min_size=n, max_size=n)] * 2))


@given(TYPES)
@settings(max_examples=40)
def test_all_scores_agree_with_scikit_learn(types):
    truth, predicted = (np.array(part) for part in types)
    confusion = metrics.confusion_matrix(truth, predicted, 3)
    assert np.array_equal(confusion, sk.confusion_matrix(truth, predicted, labels=[0, 1, 2]))
    assert metrics.accuracy(confusion) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert metrics.macro_f1(confusion) == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's of types that are predicted but not there
        assert metrics.balanced_accuracy(confusion) == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
        theirs = sk.precision_recall_fscore_support(truth, predicted, labels=[0, 1, 2], zero_division=np.nan)
    ours = metrics.per_class(confusion)
    for name, values in zip(("precision", "recall", "f1"), theirs, strict=False):
        assert ours[name] == pytest.approx(values, nan_ok=True)


def test_undefined_is_nan_and_not_nought():
    confusion = metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 0, 0]), 3)
    scores = metrics.per_class(confusion)
    assert np.isnan(scores["precision"]).tolist() == [False, True, True]
    assert np.isnan(scores["recall"]).tolist() == [False, False, True]
    assert scores["f1"][1] == 0
    assert np.isnan(scores["f1"][2])
    assert metrics.macro_f1(confusion) == pytest.approx((0.8 + 0) / 2)  # of the two types that are there


def test_rows_are_the_truth():
    confusion = metrics.confusion_matrix(np.array([0, 0, 2]), np.array([1, 1, 2]))
    assert confusion.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_the_per_class_table_of_the_thesis_fits_together():
    """B's printed P/R/F1 come out of one confusion matrix with the thesis's class counts."""
    confusion = np.array([[126, 6, 21], [25, 254, 2], [3, 1, 174]])
    scores = metrics.per_class(confusion)
    assert np.round(scores["precision"], 4).tolist() == [0.8182, 0.9732, 0.8832]
    assert np.round(scores["recall"], 4).tolist() == [0.8235, 0.9039, 0.9775]
    assert np.round(scores["f1"], 4).tolist() == [0.8208, 0.9373, 0.9280]
    assert round(metrics.accuracy(confusion), 6) == 0.905229
    assert round(metrics.macro_f1(confusion), 4) == 0.8954


@pytest.mark.parametrize(
    ("truth", "predicted", "problem"),
    [
        ([1, 2, 3], [1, 2, 0], "0…2"),
        ([0, 1], [0, 1, 2], "expected 2 whole numbers"),
        ([], [], "expected 0 whole numbers"),
        ([0.0], [1.0], "whole numbers"),
        ([-1], [0], "0…2"),
    ],
    ids=["counted from 1", "lengths", "none", "not whole", "negative"],
)
def test_what_are_no_types_is_refused(truth, predicted, problem):
    with pytest.raises(PredictionError, match=problem):
        metrics.confusion_matrix(np.array(truth), np.array(predicted), 3)


def test_one_type_more_or_less_in_either_list() -> None:
    for truth, predicted in (([0, 1, 2], [0, 1]), ([0, 1], [0, 3]), ([0, 1], [-1, 1]), ([[0, 1]], [[0, 1]])):
        with pytest.raises(PredictionError):
            metrics.confusion_matrix(np.array(truth), np.array(predicted), 3)
    assert metrics.confusion_matrix(np.array([2], np.uint8), np.array([2], np.uint8))[2, 2] == 1
    assert metrics.confusion_matrix(np.array([2]), np.array([0])).dtype == np.int64


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [([0, 1], [-1, 1]), ([-1], [-1]), ([0.5], [1.0]), ([np.nan], [0.0]), (["a"], ["b"]), ([], [])],
    ids=str,
)
def test_what_are_no_classes_is_refused_however_many_there_are(truth, predicted) -> None:
    with pytest.raises(PredictionError):
        metrics.confusion_matrix(np.array(truth), np.array(predicted))


def test_there_are_as_many_classes_as_are_said_or_seen() -> None:
    truth, predicted = np.array([0, 3, 3, 1]), np.array([0, 3, 1, 1])
    expected = np.zeros((6, 6), dtype=np.int64)
    expected[[0, 3, 3, 1], [0, 3, 1, 1]] = 1
    assert np.array_equal(metrics.confusion_matrix(truth, predicted, 6), expected)
    assert np.array_equal(metrics.confusion_matrix(truth, predicted), expected[:4, :4])
    assert np.array_equal(metrics.confusion_matrix(truth * 0, predicted), [[1, 2, 0, 1], *[[0] * 4] * 3])
    assert np.isnan(metrics.per_class(expected)["recall"]).tolist() == [False, False, True, False, True, True]
    with pytest.raises(PredictionError, match="truth: expected classes 0…2, got 0…3"):
        metrics.confusion_matrix(truth, predicted, 3)


def test_the_mean_of_types_leaves_out_what_is_not_there() -> None:
    """Type 2 is nowhere; type 1 is predicted, but not there."""
    confusion = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert metrics.balanced_accuracy(confusion) == 0.75
    assert metrics.macro_f1(confusion) == pytest.approx((6 / 7 + 0) / 2)
    assert metrics.accuracy(confusion) == 0.75
