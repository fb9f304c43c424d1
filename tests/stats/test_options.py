"""Options: what they are where nothing is said, and that each of them is heeded."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from btlib import stats
from btlib.errors import StatsError

DEFAULTS: dict[str, dict[str, Any]] = {
    "cohens_dz": {},
    "corrected_t": {},
    "design_effect": {},
    "discordant": {},
    "holm": {},
    "implied_correlation": {},
    "crossed": {"groups": None, "between_trainings": None, "interaction": 0.0},
    "crossed_from_draws": {"between_trainings": None, "interaction": 0.0},
    "drawn_interval": {"confidence": 0.95},
    "interaction_from_draws": {},
    "sample_weights": {"groups": None, "n_resamples": 2000, "seed": 0},
    "inside_margin": {},
    "moderated": {},
    "pooled": {},
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
    "speedup": {"confidence": 0.95},
    "t_test": {},
    "tost": {"alpha": 0.05},
    "unpaired": {"groups_a": None, "groups_b": None, "confidence": 0.95},
    "unpaired_mean_difference": {"confidence": 0.95},
    "wilcoxon": {},
    "wilson": {"confidence": 0.95},
}

RNG = np.random.default_rng(0)
A, B = RNG.random(40), RNG.random(40)
TABLE = RNG.random((9, 4))
DRAWN = RNG.random((4, 50))

CALLS: dict[str, Callable[..., Any]] = {
    "crossed": lambda **given: stats.crossed(A, B, **given),
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
    assert CALLS[name](**{option: OTHER[option]}) != usual


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
