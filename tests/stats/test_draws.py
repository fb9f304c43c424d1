"""Intervals and p are those of the draws that the seed gives, written out row by row."""

import math

import numpy as np
import pytest
from scipy.stats import t as student_t

from btlib import stats
from btlib.errors import StatsError
from btlib.stats.checks import group_numbers

NAMES = ["P9", "P10", "P9", "P2", "P10", "P9", "P1", "P2", "P11", "P12", "P9"]
A = np.array([0.9, 0.4, 0.75, 0.1, 0.85, 0.6, 0.3, 0.95, 0.2, 0.55, 0.7])
B = np.array([0.7, 0.5, 0.55, 0.3, 0.8, 0.65, 0.1, 0.6, 0.25, 0.5, 0.4])
DRAWS = 300


def patients_of(names: list[str]) -> list[list[int]]:
    """Rows of each patient, patients by name: P9 before P10."""
    return [
        [i for i, name in enumerate(names) if name == one]
        for one in sorted(set(names), key=lambda name: (len(name), name))
    ]


def by_hand(values: np.ndarray, names: list[str], confidence: float, seed: int) -> tuple[float, float, float, float]:
    patients, rng = patients_of(names), np.random.default_rng(seed)
    n = len(patients)
    means = []
    for row in rng.integers(0, n, size=(DRAWS, n)):
        rows = [i for patient in row for i in patients[patient]]
        means.append(values[rows].mean())
    signs = np.unpackbits(rng.integers(0, 256, size=(DRAWS, (n + 7) // 8), dtype=np.uint8), axis=1)[:, :n] * 2.0 - 1
    extreme = 0
    for row in signs:
        flipped = sum(sign * values[rows].sum() for sign, rows in zip(row, patients, strict=True))
        extreme += abs(flipped) >= abs(values.sum()) - 1e-9
    low, high = np.quantile(means, stats.percentile_levels(confidence, n))
    p = max((1 + extreme) / (1 + DRAWS), hall(values, patients))
    return float(values.mean()), float(low), float(high), p


def hall(values: np.ndarray, patients: list[list[int]]) -> float:
    """Hall's transformed t, written out sum by sum."""
    g, mean = len(patients), float(values.mean())
    rest = [sum(values[i] - mean for i in rows) for rows in patients]
    error = math.sqrt(g / (g - 1) * sum(r * r for r in rest)) / len(values)
    t, skewness = mean / error, (sum(r**3 for r in rest) / g) / (sum(r * r for r in rest) / g) ** 1.5
    turned = t + skewness / math.sqrt(g) * (t * t / 3 + 1 / 6) + skewness**2 / g * t**3 / 27
    return float(2 * student_t.sf(abs(turned), g - 1))


@pytest.mark.parametrize(("confidence", "seed"), [(0.95, 0), (0.8, 9), (0.95, 10)])
@pytest.mark.parametrize(
    "names", [NAMES, list("abcdefghabc"), [f"P{i:02d}" for i in range(11)]], ids=["patients", "eight", "samples"]
)
def test_a_paired_difference_is_of_its_seeds_draws(names: list[str], confidence: float, seed: int) -> None:
    found = stats.paired(A, B, names, DRAWS, confidence, seed)
    expected = by_hand(A - B, names, confidence, seed)
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(expected, abs=1e-12)
    assert (found.n, found.n_groups) == (11, len(set(names)))
    both = stats.paired_many([B - A, A - B], names, DRAWS, confidence, seed).rows()[1]
    assert (both.difference, both.low, both.high, both.p) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("confidence", "seed"), [(0.95, 0), (0.8, 9), (0.95, 10)])
def test_an_unpaired_difference_draws_the_two_sides_one_after_the_other(confidence: float, seed: int) -> None:
    names_b = ["x", "z", "y", "x", "y", "x", "w"]
    rng = np.random.default_rng(seed)
    sides = []
    for values, names in ((A, NAMES), (B[:7], names_b)):
        patients = patients_of(names)
        drawn = rng.integers(0, len(patients), size=(DRAWS, len(patients)))
        sides.append([values[[i for patient in row for i in patients[patient]]].mean() for row in drawn])
    differences = np.array(sides[0]) - sides[1]
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    found = stats.unpaired(A, B[:7], NAMES, names_b, confidence=confidence, n_resamples=DRAWS, seed=seed)
    expected = (A.mean() - B[:7].mean(), low, high)
    assert (found.difference, found.low, found.high) == pytest.approx(expected, abs=1e-12)


def test_groups_are_numbered_by_name_or_by_number() -> None:
    assert group_numbers(["b", "a", "b", "c"], 4).tolist() == [1, 0, 1, 2]
    assert group_numbers([10, 9, 10], 3).tolist() == [1, 0, 1], "though it is text"
    assert group_numbers(np.array([10, 9, 10]), 3).tolist() == [1, 0, 1]


@pytest.mark.parametrize("groups", [["a", None], [None, "a"], [float("nan"), 1.0], np.array([1.0, np.nan])])
def test_a_slice_without_a_group_is_refused(groups: list[object]) -> None:
    with pytest.raises(StatsError, match="some samples have no group"):
        group_numbers(groups, 2)
