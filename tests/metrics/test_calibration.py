"""Calibration and AUROC against scikit-learn and torchmetrics."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from btlib.errors import PredictionError, StatsError
from btlib.metrics import auroc, brier, ece, nll

Formula = Callable[[np.ndarray, np.ndarray], object]


def random_case(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    prob = rng.dirichlet((0.6, 0.8, 1.2), n)
    return prob, rng.integers(0, 3, n)


def test_nll_is_scikit_learns_log_loss_by_slice():
    prob, truth = random_case(200)
    assert nll(prob, truth).shape == (200,)
    assert nll(prob, truth).mean() == pytest.approx(log_loss(truth, prob, labels=[0, 1, 2]), rel=1e-4)


def test_a_probability_of_zero_costs_what_it_must_and_no_more():
    assert nll(np.array([[0.0, 1.0, 0.0]]), np.array([0]))[0] == pytest.approx(-np.log(1e-6))
    assert nll(np.array([[0.0, 1.0, 0.0]]), np.array([1]))[0] == 0


def test_brier_is_scikit_learns():
    prob, truth = random_case(200)
    theirs = brier_score_loss(truth, prob, labels=[0, 1, 2], scale_by_half=False)
    assert brier(prob, truth).mean() == pytest.approx(theirs)
    assert brier(np.array([[0.0, 1.0, 0.0]]), np.array([0])).tolist() == [2.0]


@pytest.mark.parametrize("seed", range(5))
def test_ece_is_torchmetricss(seed: int):
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    prob, truth = random_case(300, seed)
    theirs = multiclass_calibration_error(torch.from_numpy(prob), torch.from_numpy(truth), 3, n_bins=15, norm="l1")
    assert ece(prob, truth) == pytest.approx(float(theirs), abs=1e-6)


def test_ece_by_hand():
    """Four samples that are sure of the first type, three of which are right: 25 % too sure."""
    prob = np.tile([1.0, 0.0, 0.0], (4, 1))
    assert ece(prob, np.array([0, 0, 0, 1])) == pytest.approx(0.25)
    assert ece(prob, np.zeros(4, int)) == 0


def test_a_probability_at_an_edge_belongs_to_the_lower_bin():
    """0.6 lies with 0.55, whose gap cancels its own; in a bin of its own it would not (bins are of width 1/15)."""
    prob = np.array([[0.6, 0.4, 0.0], [0.55, 0.45, 0.0]])
    assert ece(prob, np.array([0, 1])) == pytest.approx(abs(0.6 - 1 + 0.55) / 2)


def test_of_certainty_we_differ_from_torchmetrics():
    """It gives a probability of exactly 1 a bin of its own, a sixteenth; the paper's last bin is closed above."""
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    prob, truth = np.array([[1.0, 0.0, 0.0], [0.95, 0.05, 0.0]]), np.array([1, 0])
    theirs = multiclass_calibration_error(torch.from_numpy(prob), torch.from_numpy(truth), 3, n_bins=15, norm="l1")
    assert float(theirs) == pytest.approx((1.0 + 0.05) / 2)
    assert ece(prob, truth) == pytest.approx((1.0 - 0.05) / 2)


@pytest.mark.parametrize(
    ("prob", "truth", "problem"),
    [
        ([[0.7, 0.2, 0.1]], [-1], "classes 0…2, got -1"),
        ([[0.7, 0.2, 0.1]], [3], "classes 0…2, got 3"),
        ([[0.7, 0.2, 0.1]] * 2, [0], "expected 2 whole numbers"),
        ([[0.7, 0.2, 0.1]], [0.0], "expected 1 whole numbers, got float64"),
        ([[np.nan, 0.2, 0.1]], [0], "0…1"),
        ([[-0.2, 0.6, 0.6]], [0], "0…1, got -0.2…0.6"),
        ([[1.5, 0.2, 0.1]], [0], "0…1, got 0.1…1.5"),
        ([0.7, 0.2, 0.1], [0], r"expected probabilities \[n, k\]"),
        (np.zeros((0, 3)), np.zeros(0, int), "expected 0 whole numbers"),
    ],
    ids=["from the end", "too large", "lengths", "not whole", "NaN", "negative", "above 1", "flat", "none"],
)
@pytest.mark.parametrize("formula", [nll, brier, ece, auroc])
def test_what_would_count_silently_is_refused(formula, prob, truth, problem):
    with pytest.raises(PredictionError, match=problem):
        formula(np.array(prob), np.array(truth))


@pytest.mark.parametrize("formula", [nll, brier, ece])
def test_rows_that_do_not_sum_to_1(formula):
    with pytest.raises(PredictionError, match="each row must sum to 1"):
        formula(np.array([[0.9, 0.9, 0.9]]), np.array([0]))


def test_no_bins():
    with pytest.raises(StatsError, match="at least 1 bin"):
        ece(*random_case(4), bins=0)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_scikit_learns(seed: int):
    prob, truth = random_case(60, seed)
    prob = np.round(prob, 1)  # with ties
    for k, value in enumerate(auroc(prob, truth)):
        assert value == pytest.approx(roc_auc_score(truth == k, prob[:, k]))


def test_auroc_of_a_type_that_is_absent_or_alone_is_undefined():
    prob, _ = random_case(6)
    assert np.isnan(auroc(prob, np.array([0, 0, 1, 1, 0, 1]))[2])
    assert np.isnan(auroc(prob, np.zeros(6, int))).all()


def test_bins_hold_every_slice_once():
    from btlib.metrics.calibration import confidence_bins

    prob = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [0.2, 0.55, 0.25], [0.1, 0.1, 0.8]])
    found = confidence_bins(prob, np.array([0, 1, 1, 2]), bins=2)
    assert found.count.tolist() == [1, 3]  # a half belongs to the lower
    assert found.right.tolist() == [0, 3]
    np.testing.assert_allclose(found.confidence, [0.5, 2.35])


@pytest.mark.parametrize("formula", [nll, brier, ece])
@pytest.mark.parametrize("missing", [0.0019, -0.0019])
def test_rows_may_miss_1_by_two_thousandths(formula: Formula, missing: float) -> None:
    formula(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2 - missing]]), np.array([0, 1]))


@pytest.mark.parametrize("formula", [nll, brier, ece])
@pytest.mark.parametrize("missing", [0.0021, -0.0021])
def test_rows_may_not_miss_1_by_more(formula: Formula, missing: float) -> None:
    """The last row counts like the first, and so does too much like too little."""
    with pytest.raises(PredictionError, match="class_prob: each row must sum to 1"):
        formula(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2 - missing]]), np.array([0, 1]))


def test_auroc_takes_scores_that_do_not_sum_to_1() -> None:
    prob = np.array([[0.9, 0.9], [0.1, 0.2], [0.5, 0.9]])
    assert auroc(prob, np.array([0, 1, 1])).tolist() == [1.0, 0.25]


def test_scores_are_of_the_true_type_row_by_row() -> None:
    prob, truth = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]]), np.array([1, 2])
    assert nll(prob, truth) == pytest.approx([-np.log(0.2), -np.log(0.5)])
    assert brier(prob, truth) == pytest.approx([0.49 + 0.64 + 0.01, 0.04 + 0.09 + 0.25])
    assert brier(prob[:, :2] / prob[:, :2].sum(axis=1, keepdims=True), np.array([0, 1])).shape == (2,)


def test_a_probability_below_a_millionth_counts_as_one() -> None:
    prob = np.array([[1e-9, 1 - 1e-9], [1e-6, 1 - 1e-6], [2e-6, 1 - 2e-6]])
    assert nll(prob, np.zeros(3, int)) == pytest.approx([-np.log(1e-6), -np.log(1e-6), -np.log(2e-6)])


def test_fifteen_bins_are_usual() -> None:
    from btlib.metrics.calibration import confidence_bins

    prob, truth = random_case(200)
    usual, fifteen = confidence_bins(prob, truth), confidence_bins(prob, truth, 15)
    assert len(usual.count) == len(usual.confidence) == len(usual.right) == 15
    assert (usual.count == fifteen.count).all()
    assert ece(prob, truth) == ece(prob, truth, 15) != ece(prob, truth, 14)
    assert ece(prob, truth, 14) != ece(prob, truth, 3)


@pytest.mark.parametrize("bins", [1, 2, 15])
def test_bins_are_as_many_as_asked_for_even_where_they_are_empty(bins: int) -> None:
    from btlib.metrics.calibration import confidence_bins

    found = confidence_bins(np.array([[0.2, 0.35, 0.45]]), np.array([2]), bins)
    at = [k / bins < 0.45 and (k + 1) / bins >= 0.45 for k in range(bins)]
    assert found.count.tolist() == found.right.tolist() == at
    assert found.confidence.tolist() == [0.45 * here for here in at]
    assert ece(np.array([[0.2, 0.35, 0.45]]), np.array([2]), bins) == pytest.approx(0.55)
