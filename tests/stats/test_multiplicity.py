import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btlib import stats
from btlib.errors import StatsError

FAMILY = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def step_down(p):
    """Holm's procedure as he wrote it: sort, times the number left, never below the one before, at most 1."""
    adjusted, highest = [0.0] * len(p), 0.0
    for place, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = highest
    return adjusted


@given(FAMILY)
@settings(max_examples=25)
def test_agrees_with_the_procedure_written_out(p):
    assert stats.holm(p) == pytest.approx(step_down(p))


@given(FAMILY)
@settings(max_examples=25)
def test_adjusted_p_is_no_smaller_and_keeps_the_order(p):
    adjusted = stats.holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_a_family_of_one_is_left_alone():
    assert stats.holm([0.03]).tolist() == [0.03]


def test_ties_are_treated_alike():
    assert stats.holm([0.01, 0.04, 0.01]) == pytest.approx([0.03, 0.04, 0.03])


@pytest.mark.parametrize(
    ("p", "problem"),
    [
        ([], "at least 1 tests"),
        ([0.1, math.nan], "not finite"),
        ([0.1, 1.1], r"between 0 and 1, got 0\.1 to 1\.1"),
        ([-0.1], "between 0 and 1"),
        ([[0.1]], "expected 1 axes"),
    ],
)
def test_what_is_no_family_of_p_is_refused(p, problem):
    with pytest.raises(StatsError, match=problem):
        stats.holm(p)


@pytest.mark.parametrize("n_tests", [1, 21, 50, 51, 552, 5000])
def test_a_family_of_any_size_can_reject(n_tests):
    """The least p that its resamples allow is far below alpha after the correction."""
    n = stats.resamples_for(n_tests)
    assert n >= 10_000
    assert stats.holm(np.r_[1 / (n + 1), np.ones(n_tests - 1)])[0] <= 0.005
    assert (n == 10_000) == (n_tests <= 50)


def test_pairs_of_24_models_that_lie_apart_are_told_apart():
    rng = np.random.default_rng(0)
    rows = rng.normal(0.7, 0.1, (276, 48))
    p = stats.paired_many(rows, n_resamples=stats.resamples_for(552)).p
    assert stats.holm(np.r_[p, p]).max() < 0.05


@pytest.mark.parametrize(("n_tests", "alpha"), [(0, 0.05), (5, 0.0), (5, 1.0), (5, float("nan"))])
def test_a_family_that_is_none_has_no_resamples(n_tests, alpha):
    with pytest.raises(StatsError):
        stats.resamples_for(n_tests, alpha)
