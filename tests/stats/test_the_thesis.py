"""The four tests that the thesis prints, reproduced to their printed digits, and the corrected reading beside them.

Its means and spreads (n in the denominator) and its t and p are restated here from its statistics notebook; n = 612.
"""

import math

import numpy as np
import pytest

from btlib import stats

N = 612
SAMPLE = math.sqrt(N / (N - 1))  # from its spread to that with n − 1
A = (0.731074, 0.266554 * SAMPLE)
E = (0.749020, 0.230472 * SAMPLE)
F = (0.751994, 0.251794 * SAMPLE)
CORRECT = {"B": (0.905229, 0.292899), "F": (0.947712, 0.222606), "G": (0.959150, 0.197942)}
PRINTED_P = {"E-A": 0.0383, "F-B": 0.000382, "G-F": 0.1939, "F-E": 0.7114}


def correctness(both: int, only_a: int, only_b: int):
    """Two bool arrays [612] with these numbers of samples; neither is right on the rest."""
    a = np.arange(N) < both + only_a
    b = (np.arange(N) < both) | ((np.arange(N) >= both + only_a) & (np.arange(N) < both + only_a + only_b))
    return a, b


@pytest.mark.parametrize(
    ("names", "both", "only", "t", "p", "exact"),
    [("FB", 540, (40, 14), 3.5720, 0.000382, 0.000535), ("GF", 569, (18, 11), 1.3006, 0.1939, 0.265)],
)
def test_correctness_from_the_discordant_counts(names, both, only, t, p, exact):
    a, b = correctness(both, *only)
    for name, values in zip(names, (a, b), strict=True):
        assert (values.mean(), values.std()) == pytest.approx(CORRECT[name], abs=5e-7)
    printed = stats.paired_t(a, b)
    assert printed.statistic == pytest.approx(t, abs=5e-5)
    assert printed.p == pytest.approx(p, abs=5e-7 if p < 0.001 else 5e-5)
    assert stats.mcnemar(a, b) == stats.McNemar(*only, pytest.approx(exact, abs=5e-7 if exact < 0.001 else 5e-4))


def test_no_other_counts_give_its_t():
    """The accuracies fix the difference of the two counts; the printed t then fixes both."""
    for names, gap, t, only_b in (("FB", 26, 3.5720, 14), ("GF", 7, 1.3006, 11)):
        both = round(CORRECT[names[1]][0] * N)
        found = [
            wrong
            for wrong in range(30)
            if abs(stats.paired_t(*correctness(both - wrong, gap + wrong, wrong)).statistic - t) < 5e-5
        ]
        assert found == [only_b]


@pytest.mark.parametrize(
    ("a", "b", "t", "p", "spread", "error", "correlation"),
    [(E, A, 2.0761, 0.0383, 0.214, 0.00864, 0.64), (F, E, 0.3702, 0.7114, 0.199, 0.00803, 0.66)],
)
def test_dice_from_the_printed_summaries(a, b, t, p, spread, error, correlation):
    """The p follows from t and n alone; the correlation is not printed, but t implies it."""
    implied = stats.implied_correlation(*a, *b, t, N)
    result = stats.paired_t_from_summary(*a, *b, implied, N)
    assert implied == pytest.approx(correlation, abs=5e-3)
    assert (result.statistic, result.p) == (pytest.approx(t), pytest.approx(p, abs=5e-5))
    assert result.error == pytest.approx(error, abs=5e-6)
    assert result.error * math.sqrt(N) == pytest.approx(spread, abs=5e-4)


def test_the_naive_interval_of_e_against_a():
    result = stats.paired_t_from_summary(*E, *A, stats.implied_correlation(*E, *A, 2.0761, N), N)
    assert (result.interval().low, result.interval().high) == pytest.approx((0.001, 0.035), abs=5e-4)


def test_after_holm_only_f_against_b_stands():
    adjusted = dict(zip(PRINTED_P, stats.holm(list(PRINTED_P.values())), strict=True))
    assert adjusted["E-A"] == pytest.approx(0.115, abs=5e-4)
    assert [name for name, p in adjusted.items() if p <= 0.05] == ["F-B"]
    assert [name for name, p in PRINTED_P.items() if p <= 0.05] == ["E-A", "F-B"]


def test_the_odds_of_the_two_comparisons_of_correctness():
    """F is right alone 2.9 times as often as B; G against F leaves even chances open."""
    assert stats.matched_odds_ratio(40, 14).low > 1
    assert stats.matched_odds_ratio(18, 11).low < 1 < stats.matched_odds_ratio(18, 11).high
