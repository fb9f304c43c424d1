"""Options: what they are where nothing is said, and that each of them is heeded."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from btlib import stats
from btlib.errors import StatsError

DEFAULTS: dict[str, dict[str, Any]] = {
    "between_seeds": {"folds": None},
    "cohens_dz": {},
    "corrected_t": {},
    "crossed_with_published": {"groups": None},
    "design_effect": {},
    "detectable": {"power": 0.8},
    "enough": {"power": 0.8},
    "discordant": {},
    "family_tests": {"groups": None, "alpha": 0.05, "seed": 0},
    "holm": {},
    "implied_correlation": {},
    "crossed": {"groups": None, "between_trainings": None, "interaction": 0.0},
    "crossed_from_draws": {"between_trainings": None, "interaction": 0.0},
    "drawn_interval": {"confidence": 0.95},
    "interaction_from_draws": {},
    "sample_weights": {"groups": None, "n_resamples": 2000, "seed": 0},
    "inside_margin": {},
    "interaction": {"groups": None},
    "moderated": {},
    "pooled": {},
    "p_pass": {"loss": 0.0},
    "p_regressed": {},
    "matched_odds_ratio": {"confidence": 0.95},
    "mcnemar": {},
    "mcnemar_from_counts": {},
    "paired": {"groups": None, "n_resamples": 10_000, "confidence": 0.95, "seed": 0},
    "paired_many": {"groups": None, "n_resamples": 10_000, "confidence": 0.95, "seed": 0},
    "paired_t": {},
    "paired_t_from_summary": {},
    "percentile_levels": {},
    "rank_biserial": {},
    "rank_models": {"higher_is_better": True, "alpha": 0.05},
    "resamples_for": {"alpha": 0.05, "least": 10_000},
    "share_of_folds": {},
    "speedup": {"confidence": 0.95},
    "t_test": {},
    "tost": {"alpha": 0.05},
    "unpaired": {"groups_a": None, "groups_b": None, "confidence": 0.95},
    "unpaired_mean_difference": {"confidence": 0.95},
    "wilcoxon": {},
    "wilson": {"confidence": 0.95},
    "with_numbers": {"trainings": None, "groups": None},
}

RNG = np.random.default_rng(0)
A, B = RNG.random(40), RNG.random(40)
TABLE = RNG.random((9, 4))
DRAWN = RNG.random((4, 50))
KNOWN = stats.Variance(0.02, 5)
COMPARED = stats.crossed(A, B, between_trainings=stats.Variance(1e-4, 50))

CALLS: dict[str, Callable[..., Any]] = {
    "between_seeds": lambda **given: stats.between_seeds([A, B], **given),
    "crossed": lambda **given: (
        stats.crossed(A, B, **given),
        stats.crossed(A, B, **given | {"between_trainings": KNOWN}),
    ),
    "crossed_with_published": lambda **given: stats.crossed_with_published(
        A, 0.5, 0.2, 30, between_trainings=KNOWN, **given
    ),
    "detectable": lambda **given: stats.detectable(COMPARED, 0.02, 0.004, **given),
    "enough": lambda **given: stats.enough(COMPARED, 0.1, 0.025, **given),
    "interaction": lambda **given: stats.interaction([A, B], **given),
    "p_pass": lambda **given: stats.p_pass(COMPARED, 0.1, 0.025, **given),
    "with_numbers": lambda **given: stats.with_numbers(COMPARED, **given),
    "family_tests": lambda **given: [
        getattr(stats.family_tests([A - B, A - B + 0.06], **given), name).tolist() for name in ("p", "holm", "rejected")
    ],
    "crossed_from_draws": lambda **given: stats.crossed_from_draws(A[:2], B[:2], DRAWN[:2], DRAWN[2:], 9, **given),
    "drawn_interval": lambda **given: stats.drawn_interval(0.5, A, 9, **given),
    "sample_weights": lambda **given: [w.tolist() for w in stats.sample_weights(40, **given)[1]],
    "matched_odds_ratio": lambda **given: stats.matched_odds_ratio(9, 3, **given),
    "paired": lambda **given: stats.paired(A, B, **given),
    "paired_many": lambda **given: stats.paired_many([A - B], **given).rows(),
    "rank_models": lambda **given: repr(stats.rank_models(TABLE, **given)),
    "resamples_for": lambda **given: stats.resamples_for(100, **given),
    "speedup": lambda **given: stats.speedup(A + 1, B + 1, **given),
    "tost": lambda **given: stats.tost(A, B, 0.1, **given),
    "unpaired": lambda **given: stats.unpaired(A, B, **given),
    "unpaired_mean_difference": lambda **given: stats.unpaired_mean_difference(0.7, 0.2, 9, 0.6, 0.3, 7, **given),
    "wilson": lambda **given: stats.wilson(7, 9, **given),
}

OTHER: dict[str, Any] = {
    "groups": [f"P{i // 3}" for i in range(40)],
    "groups_a": [f"P{i // 3}" for i in range(40)],
    "groups_b": [f"P{i // 3}" for i in range(40)],
    "between_trainings": stats.Variance(0.01, 4),
    "n_resamples": 777,
    "confidence": 0.8,
    "seed": 9,
    "alpha": 0.1,
    "least": 50_000,
    "higher_is_better": False,
    "folds": [i % 3 for i in range(40)],
    "interaction": 1e-3,
    "loss": 0.01,
    "power": 0.9,
    "trainings": 3,
}


def test_what_holds_where_nothing_is_said() -> None:
    functions = {name: getattr(stats, name) for name in stats.__all__ if inspect.isfunction(getattr(stats, name))}
    found = {
        name: {
            one.name: one.default
            for one in inspect.signature(function).parameters.values()
            if one.default is not one.empty
        }
        for name, function in functions.items()
    }
    assert found == DEFAULTS


HEEDED = [(name, option) for name in CALLS for option in DEFAULTS[name] if option != "interaction"]
"""An interaction counts only where a variance between trainings is given: see the tests of both functions."""


@pytest.mark.parametrize(("name", "option"), HEEDED)
def test_every_option_is_heeded(name: str, option: str) -> None:
    usual = CALLS[name]()
    assert CALLS[name](**{option: DEFAULTS[name][option]}) == usual
    other = 7 if (name, option) == ("with_numbers", "groups") else OTHER[option]  # a number of patients
    assert CALLS[name](**{option: other}) != usual


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, float("nan")])
@pytest.mark.parametrize("name", [name for name in CALLS if "confidence" in DEFAULTS[name]])
def test_a_confidence_is_between_0_and_1(name: str, confidence: float) -> None:
    with pytest.raises(StatsError, match="expected a confidence between 0 and 1"):
        CALLS[name](confidence=confidence)


@pytest.mark.parametrize(
    ("name", "alpha"), [(name, alpha) for name in ("tost", "rank_models") for alpha in (0.0, 1.0)] + [("tost", 0.5)]
)
def test_alpha_is_between_its_bounds(name: str, alpha: float) -> None:
    with pytest.raises(StatsError, match="expected alpha between 0 and"):
        CALLS[name](alpha=alpha)


def test_options_without_a_call_are_none() -> None:
    assert set(CALLS) == {name for name, options in DEFAULTS.items() if options}
