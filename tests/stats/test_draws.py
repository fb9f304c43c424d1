"""Intervals and p are those of the draws that the seed gives, written out row by row."""

import math

import numpy as np
import pytest
from scipy.stats import t as student_t
from statsmodels.regression.linear_model import OLS

from btlib import stats
from btlib.errors import StatsError
from btlib.stats.checks import group_numbers

MANY = [f"P{k % 23}" for k in range(31)]
NAMES = ["P9", "P10", "P9", "P2", "P10", "P9", "P1", "P2", "P11", "P12", "P9"]
A = np.array([0.9, 0.4, 0.75, 0.1, 0.85, 0.6, 0.3, 0.95, 0.2, 0.55, 0.7])
LONG_A, LONG_B = np.random.default_rng(5).random((2, 31))
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
    if n < 20:
        low, high = students(values, names, confidence)
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


def students(values: np.ndarray, names: list[str], confidence: float) -> tuple[float, float]:
    model = OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.unique(names, return_inverse=True)[1]}, use_t=True
    )
    low, high = model.conf_int(1 - confidence)[0]
    return low, high


@pytest.mark.parametrize(("confidence", "seed"), [(0.95, 0), (0.8, 9), (0.95, 10)])
@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        (LONG_A, LONG_B, MANY),
        (LONG_A, LONG_B, [f"P{k % 20}" for k in range(31)]),
        (LONG_A, LONG_B, [f"P{k % 19}" for k in range(31)]),
        (A, B, NAMES),
        (A, B, list("abababbbabb")),
        (A, B, [f"P{i:02d}" for i in range(11)]),
    ],
    ids=["23", "20", "19", "patients", "2", "samples"],
)
def test_a_paired_difference_is_of_its_seeds_draws(
    a: np.ndarray, b: np.ndarray, names: list[str], confidence: float, seed: int
) -> None:
    """From 20 patients on by percentiles, and by statsmodels' cluster-robust t below."""
    found = stats.paired(a, b, names, DRAWS, confidence, seed)
    expected = by_hand(a - b, names, confidence, seed)
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(expected, abs=1e-12)
    assert (found.n, found.n_groups) == (len(a), len(set(names)))
    both = stats.paired_many([b - a, a - b], names, DRAWS, confidence, seed).rows()[1]
    assert (both.difference, both.low, both.high, both.p) == pytest.approx(expected, abs=1e-12)


NUMBERS = [10, 9, -1, 100, 9, 10, 3, -20, 3, 5, 8, *range(200, 220)]


@pytest.mark.parametrize("name", ["paired", "unpaired", "crossed"])
def test_groups_named_by_numbers_and_by_texts_give_equal_bounds(name: str) -> None:
    found = []
    for groups in (NUMBERS, np.array(NUMBERS), np.array(NUMBERS, np.int16), [str(k) for k in NUMBERS]):
        if name == "paired":
            found.append(stats.paired(LONG_A, LONG_B, groups, DRAWS))
        elif name == "unpaired":
            found.append(stats.unpaired(LONG_A, LONG_B, groups, groups[::-1]))
        else:
            found.append(stats.crossed(LONG_A, LONG_B, groups))
    assert found.count(found[0]) == 4


def test_groups_are_numbered_by_name_or_by_number() -> None:
    assert group_numbers(["b", "a", "b", "c"], 4).tolist() == [1, 0, 1, 2]
    assert group_numbers([10, 9, 10], 3).tolist() == [1, 0, 1], "though it is text"
    assert group_numbers(np.array([10, 9, 10]), 3).tolist() == [1, 0, 1]


@pytest.mark.parametrize("groups", [["a", None], [None, "a"], [float("nan"), 1.0], np.array([1.0, np.nan])])
def test_a_slice_without_a_group_is_refused(groups: list[object]) -> None:
    with pytest.raises(StatsError, match="some samples have no group"):
        group_numbers(groups, 2)
