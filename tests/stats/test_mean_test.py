"""The test of a mean: what it rejects, its Monte Carlo error, and that no seed decides a conclusion."""

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sp

from btlib import stats
from btlib.stats.mean_test import by_group, mean_p, skewness_corrected_p

module = importlib.import_module("btlib.stats.mean_test")

ROWS = st.lists(st.lists(st.floats(-5, 5), min_size=6, max_size=6), min_size=1, max_size=4)


def of_normals(t: float, n: int = 24, seed: int = 0) -> np.ndarray:
    """Normal differences without skewness, with exactly this t; the p of sign flips is close to that of Student's t."""
    half = np.random.default_rng(seed).normal(size=n // 2)
    values = np.concatenate([half, -half])
    return values / values.std(ddof=1) + t / np.sqrt(n)


def conclusion(found: stats.FamilyTests) -> list[str]:
    return [
        "cannot tell" if undecided else "different" if rejected else "no difference"
        for rejected, undecided in zip(found.rejected, found.undecided, strict=True)
    ]


def test_no_seed_decides_a_conclusion():
    """Data whose p lies around 0.05: 10,000 flips alone give both conclusions to most of them."""
    border = sp.t.ppf(0.975, 23)
    alone = 0
    for k in range(10):
        row = of_normals(border * (0.985 + 0.004 * k), seed=k)[None]
        found = {conclusion(stats.family_tests(row, seed=seed))[0] for seed in range(20)}
        assert not {"different", "no difference"} <= found
        alone += len({stats.paired_many(row, seed=seed).p[0] < 0.05 for seed in range(20)}) == 2
    assert alone >= 3


def test_p_within_its_error_of_alpha_is_no_conclusion(monkeypatch: pytest.MonkeyPatch):
    row = of_normals(sp.t.ppf(0.975, 23))[None]
    monkeypatch.setattr(module, "_LONGEST", 1)
    found = stats.family_tests(row)
    assert conclusion(found) == ["cannot tell"]
    assert 0.04 < found.p[0] < 0.06
    assert conclusion(stats.family_tests(row, alpha=0.2)) == ["different"]
    assert conclusion(stats.family_tests(row, alpha=0.01)) == ["no difference"]


def test_more_flips_are_drawn_until_the_error_is_small():
    row = of_normals(sp.t.ppf(0.97, 23))
    first, last = stats.paired(row, 0 * row).p, stats.family_tests(row[None]).p[0]
    exact = [stats.paired(row, 0 * row, n_resamples=200_000, seed=seed).p for seed in (1, 2)]
    assert conclusion(stats.family_tests(row[None])) == ["no difference"]
    assert abs(last - np.mean(exact)) < 0.0035
    assert first != last


def test_a_family_is_corrected_and_its_bounds_are_marked():
    rows = np.stack([of_normals(12, seed=1), of_normals(0.3, seed=2), of_normals(11, seed=3)])
    found = stats.family_tests(rows)
    assert found.holm == pytest.approx(stats.holm(found.p))
    assert found.p_is_bound.tolist() == [True, False, True]
    assert found.holm_is_bound.tolist() == [True, False, True]
    assert found.rejected.tolist() == [True, False, True]
    assert not found.undecided.any()
    assert found.p[0] == 1 / 10_001
    alone = stats.paired_many(rows)
    assert alone.p_is_bound.tolist() == [True, False, True]
    assert [row.p_is_bound for row in alone.rows()] == [True, False, True]


def test_a_corrected_p_is_a_bound_through_the_one_before_it():
    """Holm's p is never below the one before; where that is a bound, so is this."""
    p, bound = np.array([0.01, 0.012, 0.9]), np.array([True, False, False])
    assert stats.holm(p)[:2] == pytest.approx([0.03, 0.03])
    assert (stats.holm(np.where(bound, 0.0, p)) < stats.holm(p)).tolist() == [True, True, False]


def test_552_tests_of_models_that_lie_apart_are_decided():
    rows = np.random.default_rng(0).normal(0.7, 0.1, (552, 24))
    found = stats.family_tests(rows)
    assert found.rejected.all()
    assert not found.undecided.any()


@given(ROWS, st.floats(0.01, 100), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_scale_and_sign_change_no_p(rows: list[list[float]], scale: float, size: int):
    values = np.array(rows)
    sizes = np.full(6, float(size))
    p = skewness_corrected_p(values, sizes)
    assert ((p >= 0) & (p <= 1)).all()
    assert skewness_corrected_p(-values, sizes).tolist() == p.tolist()
    assert skewness_corrected_p(values * scale, sizes) == pytest.approx(p, abs=1e-6)


def test_without_skewness_it_is_students_t():
    values = np.array([0.3, 0.1, 0.5, 0.2, 0.4, 0.0, 0.6])
    found = skewness_corrected_p(values[None], np.ones(7))[0]
    assert found == pytest.approx(sp.ttest_1samp(values, 0).pvalue)
    assert skewness_corrected_p(np.full((1, 5), 0.1), np.ones(5))[0] == 0
    assert skewness_corrected_p(np.zeros((1, 5)), np.ones(5))[0] == 1


def test_skewness_towards_the_observed_side_is_no_evidence():
    """The long tail is on the side of the mean: then p is larger than Student's, and smaller on the other side."""
    tail = np.array([0.0, 0.1, -0.1, 0.05, 0.15, -0.05, 0.1, 2.0])
    heavy, light = (skewness_corrected_p((tail - shift)[None], np.ones(8))[0] for shift in (-0.4, 1.0))
    students = [sp.ttest_1samp(tail, shift).pvalue for shift in (-0.4, 1.0)]
    assert heavy < students[0]
    assert light > students[1]


def failures(rng: np.random.Generator, share: float, patients: int, rows: int) -> Any:
    """Differences with the mean 0: one side fails in some patients, in half of their five samples."""
    of = np.repeat(np.arange(patients), 5)
    bad = (rng.random((rows, patients)) < share)[:, of] & (rng.random((rows, len(of))) < 0.5)
    return -0.7 * bad + 0.35 * share + rng.normal(0, 0.03, bad.shape), of


def flips_alone(rows: np.ndarray, of: np.ndarray, n: int = 1999) -> np.ndarray:
    signs = np.random.default_rng(5).choice([-1.0, 1.0], (n, of.max() + 1))
    sums = by_group(rows, of)
    observed = np.abs(sums.sum(axis=1))
    return (1 + (np.abs(signs @ sums.T) >= observed - 1e-9).sum(axis=0)) / (1 + n)


def test_rare_failures_of_one_side_are_rejected_less_often():
    rows, of = failures(np.random.default_rng(1), 0.1, 47, 800)
    found = stats.paired_many(rows, of, n_resamples=1999).p
    assert np.mean(flips_alone(rows, of) <= 0.05) > 0.085
    assert np.mean(found <= 0.05) < 0.07


def test_symmetric_differences_keep_the_level_of_sign_flips():
    one, of = failures(np.random.default_rng(2), 0.1, 20, 800)
    other, _ = failures(np.random.default_rng(3), 0.1, 20, 800)
    flips, found = flips_alone(one - other, of), stats.paired_many(one - other, of, n_resamples=1999).p
    assert np.mean(flips <= 0.05) < 0.073
    assert np.mean(found <= 0.05) < 0.073
    assert (found >= flips - 0.05).all()


def test_the_larger_p_counts():
    assert mean_p(np.array([0.0, 99.0]), 999, np.array([0.2, 0.01])).tolist() == [0.2, 0.1]
