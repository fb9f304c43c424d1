"""Statistics of a whole set: for a mean they are those of the mean; draws without a value are counted and limited."""

import math

import numpy as np
import pytest
from scipy import stats as sp

from btlib import metrics, stats
from btlib.errors import StatsError

RNG = np.random.default_rng(0)
G, EACH, B = 15, 4, 20_000
GROUPS = np.repeat(np.arange(G), EACH)
N = G * EACH
FIRST = RNG.random((3, N)) + 0.4 * RNG.random((1, G))[:, GROUPS]
SECOND = RNG.random((2, N)) + 0.5 * FIRST.mean(axis=0)


def drawn_means(rows: np.ndarray, groups: np.ndarray | None = GROUPS, seed: int = 0) -> np.ndarray:
    _, pieces = stats.sample_weights(rows.shape[1], groups, B, seed)
    return np.concatenate([rows @ weights.T / weights.sum(axis=1) for weights in pieces], axis=1)


@pytest.mark.parametrize("spread", [stats.Variance(0.0004, 3), (stats.Variance(0.0004, 3), stats.Variance(0.01, 6))])
@pytest.mark.parametrize(("r", "s"), [(3, 2), (1, 2), (1, 1)])
def test_draws_of_a_mean_are_the_crossed_model_of_the_mean(r: int, s: int, spread: object) -> None:
    a, b = FIRST[:r], SECOND[:s]
    wanted = stats.crossed(a, b, GROUPS, between_trainings=spread, interaction=0.0002)
    found = stats.crossed_from_draws(
        *(side.mean(axis=1) for side in (a, b)),
        *(drawn_means(side) for side in (a, b)),
        G,
        between_trainings=spread,
        interaction=0.0002,
    )
    assert found.difference == pytest.approx(wanted.difference)
    assert found.samples == pytest.approx(wanted.samples, rel=0.06)
    assert found.trainings == pytest.approx(wanted.trainings, rel=0.06)
    assert found.freedom == pytest.approx(wanted.freedom, rel=0.06)
    assert (found.n_groups, found.n_trainings, found.n_undefined) == (G, (r, s), 0)
    assert found.bound(0.025) == pytest.approx(wanted.bound(0.025), abs=0.03 * wanted.error)


def test_the_same_models_on_both_sides_differ_by_patients_only() -> None:
    a, b = FIRST[:2], SECOND
    wanted = stats.crossed(a, b, GROUPS)
    found = stats.crossed_from_draws(a.mean(axis=1), b.mean(axis=1), drawn_means(a), drawn_means(b), G)
    assert (found.trainings, found.freedom) == (0, G - 1)
    assert found.samples == pytest.approx(wanted.samples, rel=0.06)
    same = stats.crossed_from_draws(a.mean(axis=1) + 0.5, a.mean(axis=1), drawn_means(a) + 0.5, drawn_means(a), G)
    assert same.difference == pytest.approx(0.5)
    assert same.error == pytest.approx(0, abs=1e-12)
    with pytest.raises(StatsError, match="expected the same models on both sides, got 3 and 2"):
        stats.crossed_from_draws([1, 2, 3], [1, 2], np.zeros((3, 9)), np.zeros((2, 9)), G)


def test_the_interaction_is_that_of_the_mean() -> None:
    wanted = stats.interaction(FIRST, GROUPS)
    assert stats.interaction_from_draws(drawn_means(FIRST), G) == pytest.approx(wanted, rel=0.04)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_of_a_mean_is_students(confidence: float) -> None:
    values = FIRST[0]
    found = stats.drawn_interval(values.mean(), drawn_means(values[None])[0], G, confidence)
    theirs = sp.ttest_1samp(values.reshape(G, EACH).mean(axis=1), 0).confidence_interval(confidence)
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.03 * found.error)
    assert (found.value, found.n_groups, found.n_draws, found.n_undefined) == (values.mean(), G, B, 0)


def test_few_undefined_draws_are_counted_and_many_are_refused() -> None:
    a, b = drawn_means(FIRST[:1]), drawn_means(SECOND[:1])
    a[0, :600], b[0, 500:1000] = np.nan, np.nan
    spread = stats.Variance(0.0, 3)
    found = stats.crossed_from_draws([0.5], [0.4], a, b, G, between_trainings=spread)
    assert found.n_undefined == 1000
    assert found.samples == pytest.approx(np.var((a - b)[0, 1000:], ddof=1) * G / (G - 1))
    assert stats.drawn_interval(0.5, a[0], G).n_undefined == 600
    b[0, 1000] = np.nan
    with pytest.raises(StatsError, match="1001 of 20000 draws of groups have no value"):
        stats.crossed_from_draws([0.5], [0.4], a, b, G, between_trainings=spread)
    with pytest.raises(StatsError, match="20000 of 20000 draws of groups have no value"):
        stats.drawn_interval(0.5, np.full(B, np.nan), G)
    with pytest.raises(StatsError, match="2 of 20 draws of groups have no value"):
        stats.interaction_from_draws([[math.nan, *range(19)], [*range(19), math.nan]], G)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"a": [math.nan]}, "not finite"),
        ({"a": [], "a_draws": np.zeros((0, 9))}, "at least 1 trainings, got 0"),
        ({"a_draws": np.zeros((2, 9))}, "expected draws of shapes"),
        ({"b_draws": np.zeros((1, 8))}, "expected draws of shapes"),
        ({"a_draws": np.full((1, 9), math.inf)}, "not finite"),
        ({"a_draws": np.zeros((1, 1)), "b_draws": np.zeros((1, 1))}, "at least 2 draws, got 1"),
        ({"n_groups": 1}, "at least 2 groups, got 1"),
        ({"interaction": -0.1}, "expected an interaction of 0 or more"),
        ({"interaction": math.nan}, "expected an interaction of 0 or more"),
    ],
)
def test_what_has_no_variance_is_refused(changed: dict[str, object], problem: str) -> None:
    given = {"a": [0.5], "b": [0.4], "a_draws": np.zeros((1, 9)), "b_draws": np.zeros((1, 9)), "n_groups": 5}
    with pytest.raises(StatsError, match=problem):
        stats.crossed_from_draws(**{**given, **changed}, between_trainings=stats.Variance(0.0, 3))  # type: ignore[arg-type]


def test_an_interval_needs_a_value_and_two_patients() -> None:
    with pytest.raises(StatsError, match="not finite"):
        stats.drawn_interval(math.nan, [1, 2, 3], 5)
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        stats.drawn_interval(0.5, [1, 2, 3], 1)
    with pytest.raises(StatsError, match="at least 2 trainings, got 1"):
        stats.interaction_from_draws([[1, 2, 3]], 5)
    assert stats.drawn_interval(0.1, [0.1] * 7, 5).error == 0, "draws that are equal have exactly no spread"


def test_draws_belong_to_patients_and_not_to_the_order_of_the_samples() -> None:
    names = [f"P{k}" for k in (10, 9, 10, 2, 9, 9)]
    n_groups, pieces = stats.sample_weights(6, names, 300, seed=4)
    weights = np.concatenate(list(pieces))
    assert (n_groups, weights.shape) == (3, (300, 6))
    order = np.array([3, 1, 0, 5, 4, 2])
    again = np.concatenate(list(stats.sample_weights(6, [names[i] for i in order], 300, seed=4)[1]))
    assert np.array_equal(again, weights[:, order])
    assert (weights[:, [3, 1, 0]].sum(axis=1) == 3).all(), "three patients are drawn"
    assert np.array_equal(weights[:, 1], weights[:, 4])


def test_draws_come_in_pieces_that_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(stats.sample_weights(40, None, 100)[1]))
    monkeypatch.setattr("btlib.stats.drawn._CELLS", 40 * 7)
    pieces = list(stats.sample_weights(40, None, 100)[1])
    assert {len(piece) for piece in pieces} == {7, 2}
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(
    ("n", "groups", "draws", "problem"),
    [
        (1, None, 9, "2 samples"),
        (3, [1, 1, 1], 9, "2 groups"),
        (3, [1, 2], 9, "expected 3 groups, got 2"),
        (3, None, 1, "2 resamples"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(n: int, groups: list[int] | None, draws: int, problem: str) -> None:
    with pytest.raises(StatsError, match=problem):
        stats.sample_weights(n, groups, draws)


@pytest.mark.parametrize("patients", [4, 10, 47])
def test_equal_cases_rarely_differ_in_macro_f1(patients: int) -> None:
    """Two cases of equal quality, whose errors correlate within a patient: about 5 % of the intervals exclude 0."""
    rng, false_alarms, n = np.random.default_rng(5), 0, 300
    of = np.arange(6 * patients) // 6
    weights = np.concatenate(list(stats.sample_weights(len(of), of, 300)[1]))
    rows = np.concatenate([np.ones((1, len(of))), weights])
    for _ in range(n):
        labels = np.tile([0, 1, 2], 2 * patients)
        values = []
        for _ in "ab":
            wrong = rng.normal(size=patients)[of] + rng.normal(size=len(of)) > 1
            confusion = metrics.weighted_confusion(labels, (labels + wrong) % 3, rows, 3)
            values.append(metrics.per_class(confusion)["f1"].mean(axis=1))
        difference = values[0] - values[1]
        found = stats.drawn_interval(difference[0], difference[1:], patients)
        false_alarms += not found.low <= 0 <= found.high
    assert 0.005 < false_alarms / n <= 0.09
