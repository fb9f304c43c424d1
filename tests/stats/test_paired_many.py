"""Many comparisons at once are the same comparisons one by one."""

import importlib
import math

import numpy as np
import pytest

from btlib import stats
from btlib.errors import StatsError

paired_module = importlib.import_module("btlib.stats.paired")  # the package's name of it is the function
resampling = importlib.import_module("btlib.stats.resampling")

ROWS = np.random.default_rng(0).normal([[0.0], [0.2], [-0.1]], 0.5, (3, 40))
PATIENTS = [f"P{i % 7}" for i in range(40)]


@pytest.mark.parametrize("groups", [None, PATIENTS])
def test_each_row_is_its_pair_alone(groups):
    for row, one in zip(ROWS, stats.paired_many(ROWS, groups, n_resamples=500).rows(), strict=True):
        alone = stats.paired(row, np.zeros(40), groups, n_resamples=500)
        assert (one.difference, one.low, one.high) == pytest.approx((alone.difference, alone.low, alone.high))
        assert (one.p, one.n, one.n_groups) == (alone.p, alone.n, alone.n_groups)


def test_arrays_and_rows_say_the_same():
    many = stats.paired_many(ROWS, PATIENTS, n_resamples=200)
    assert many.difference == pytest.approx(ROWS.mean(axis=1))
    for column in ("difference", "low", "high", "p"):
        assert getattr(many, column).tolist() == [getattr(row, column) for row in many.rows()]
        assert getattr(many, column).shape == (3,)


def test_rows_in_blocks_are_the_rows_at_once(monkeypatch):
    at_once = stats.paired_many(ROWS, PATIENTS, n_resamples=200)
    monkeypatch.setattr(paired_module, "CELLS", 1)
    in_blocks = stats.paired_many(ROWS, PATIENTS, n_resamples=200)
    for column in ("low", "high", "p"):
        assert getattr(in_blocks, column) == pytest.approx(getattr(at_once, column))


@pytest.mark.parametrize("cells", [1, 24, 10_000])
def test_draws_come_in_pieces_that_add_up(monkeypatch, cells):
    monkeypatch.setattr(resampling, "CELLS", cells)
    weights = list(resampling.bootstrap_weights(np.random.default_rng(0), 11, 9))
    signs = list(resampling.sign_flips(np.random.default_rng(0), 11, 9))
    for pieces in (weights, signs):
        assert max(map(len, pieces)) == min(9, max(1, cells // 11))
        assert np.concatenate(pieces).shape == (9, 11)
    assert (np.concatenate(weights).sum(axis=1) == 11).all()
    assert set(np.unique(np.concatenate(signs))) == {-1, 1}


@pytest.mark.parametrize("remembered", [0, 99, 10**6], ids=["never", "just", "always"])
def test_remembered_draws_are_those_of_the_seed(monkeypatch, remembered):
    monkeypatch.setattr(resampling, "REMEMBERED", remembered)
    rng = np.random.default_rng(7)
    weights, signs = resampling.draws(7, 11, 9)
    for drawn, of in ((weights, resampling.bootstrap_weights), (signs, resampling.sign_flips)):
        assert np.concatenate(list(drawn)).tolist() == np.concatenate(list(of(rng, 11, 9))).tolist()
    others = [np.concatenate(list(resampling.draws(*one)[0])).tolist() for one in ((8, 11, 9), (7, 9, 11), (7, 11, 8))]
    assert all(other != np.concatenate(list(resampling.draws(7, 11, 9)[0])).tolist() for other in others)


def test_every_patient_is_drawn_and_flipped_alike():
    """1/n of the draws each, with the variance of draws with replacement; half of the signs each."""
    weights = np.concatenate(list(resampling.bootstrap_weights(np.random.default_rng(0), 5, 40_000)))
    signs = np.concatenate(list(resampling.sign_flips(np.random.default_rng(0), 9, 40_000)))
    assert weights.mean(axis=0) == pytest.approx(np.ones(5), abs=0.03)
    assert weights.var(axis=0) == pytest.approx(np.full(5, 0.8), abs=0.05)
    assert np.cov(signs.T) == pytest.approx(np.eye(9), abs=0.03)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([1.0, 2.0], "expected 2 axes"),
        (np.empty((0, 5)), "at least 1 pairs, got 0"),
        (np.empty((2, 0)), "at least 2 samples, got 0"),
        ([[1.0, 2.0], [1.0, math.nan]], "1 values are not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(rows, problem):
    with pytest.raises(StatsError, match=problem):
        stats.paired_many(rows)
