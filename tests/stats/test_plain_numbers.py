"""Statistics give Python's own numbers, or arrays, whatever NumPy they get and whichever versions are installed."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from btlib import stats

RNG = np.random.default_rng(0)
A, B = RNG.random(24), RNG.random(24)
RIGHT, OTHER = A > 0.3, B > 0.5
GROUPS = [f"patient {k // 2}" for k in range(24)]
OF_NUMPY = np.float64
COMPARED = stats.crossed(A, B, GROUPS, between_trainings=stats.Variance(1e-4, 50))

CALLS: dict[str, Callable[[], Any]] = {
    "between_seeds": lambda: stats.between_seeds(np.stack([A, B]), GROUPS),
    "cohens_dz": lambda: stats.cohens_dz(A, B),
    "crossed": lambda: stats.crossed(A, B, GROUPS, between_trainings=stats.Variance(0.01, 3)),
    "crossed_with_published": lambda: stats.crossed_with_published(
        A, *map(OF_NUMPY, (0.5, 0.2)), np.int64(30), GROUPS, between_trainings=stats.Variance(0.01, 3)
    ),
    "detectable": lambda: stats.detectable(COMPARED, *map(OF_NUMPY, (0.02, 0.004, 0.8))),
    "enough": lambda: stats.enough(COMPARED, *map(OF_NUMPY, (0.2, 0.025, 0.8))),
    "interaction": lambda: stats.interaction(np.stack([A, B]), GROUPS),
    "crossed_from_draws": lambda: stats.crossed_from_draws(
        A[:2], B[:2], A.reshape(2, 12), B.reshape(2, 12), np.int64(9), between_trainings=stats.Variance(0.01, 3)
    ),
    "drawn_interval": lambda: stats.drawn_interval(OF_NUMPY(0.5), A, np.int64(9)),
    "interaction_from_draws": lambda: stats.interaction_from_draws(A.reshape(2, 12), np.int64(9)),
    "sample_weights": lambda: stats.sample_weights(24, GROUPS)[0],
    "moderated": lambda: stats.moderated(stats.Variance(0.1, 2), stats.Variance(0.2, 3)),
    "pooled": lambda: stats.pooled([A[:3], B[:2]]),
    "corrected_t": lambda: stats.corrected_t(A, np.int64(80), np.int64(20)),
    "design_effect": lambda: stats.design_effect(A, GROUPS),
    "discordant": lambda: stats.discordant(RIGHT, OTHER),
    "family_tests": lambda: stats.family_tests(np.stack([A - B, B - A]), GROUPS),
    "holm": lambda: stats.holm(A),
    "implied_correlation": lambda: stats.implied_correlation(*map(OF_NUMPY, (0.7, 0.2, 0.71, 0.2, -1.5)), np.int64(50)),
    "inside_margin": lambda: stats.inside_margin(*map(OF_NUMPY, (-0.01, 0.01, 0.02))),
    "matched_odds_ratio": lambda: stats.matched_odds_ratio(np.int64(0), np.int64(1)),
    "mcnemar": lambda: stats.mcnemar(RIGHT, OTHER),
    "mcnemar_from_counts": lambda: stats.mcnemar_from_counts(np.int64(3), np.int64(9)),
    "paired": lambda: stats.paired(A, B, groups=GROUPS, n_resamples=200),
    "paired_many": lambda: stats.paired_many(np.stack([A - B, B - A]), groups=GROUPS, n_resamples=200),
    "p_pass": lambda: stats.p_pass(COMPARED, *map(OF_NUMPY, (0.02, 0.025, 0.01))),
    "p_regressed": lambda: stats.p_regressed(COMPARED, *map(OF_NUMPY, (0.02, 0.004, 0.03))),
    "paired_t": lambda: stats.paired_t(A, B),
    "paired_t_from_summary": lambda: stats.paired_t_from_summary(
        *map(OF_NUMPY, (0.7, 0.2, 0.71, 0.2, 0.5)), np.int64(50)
    ),
    "percentile_levels": lambda: stats.percentile_levels(OF_NUMPY(0.95), np.int64(20)),
    "rank_biserial": lambda: stats.rank_biserial(A, B),
    "rank_models": lambda: stats.rank_models(RNG.random((12, 4))),
    "resamples_for": lambda: stats.resamples_for(np.int64(100)),
    "share_of_folds": lambda: stats.share_of_folds(np.array([3, 4])),
    "speedup": lambda: stats.speedup(A + 1, B + 1),
    "t_test": lambda: stats.t_test(*map(OF_NUMPY, (0.1, 0.05, 10))),
    "tost": lambda: stats.tost(A, B, OF_NUMPY(0.5)),
    "unpaired": lambda: stats.unpaired(A, B, GROUPS, GROUPS),
    "unpaired_mean_difference": lambda: stats.unpaired_mean_difference(*map(OF_NUMPY, (0.7, 0.2, 50, 0.6, 0.2, 40))),
    "wilcoxon": lambda: stats.wilcoxon(A, B),
    "wilson": lambda: stats.wilson(np.int64(7), np.int64(9)),
    "with_numbers": lambda: stats.with_numbers(COMPARED, trainings=np.int64(3), groups=np.int64(40)),
}


def leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, tuple | list):
        for k, part in enumerate(value):
            yield from leaves(part, f"{place}[{k}]")
    else:
        yield place, value


def test_every_function_is_called_here():
    assert set(CALLS) == {name for name in stats.__all__ if inspect.isfunction(getattr(stats, name))}


@pytest.mark.parametrize("name", CALLS)
def test_numbers_are_pythons_own(name: str):
    found = dict(leaves(CALLS[name](), name))
    strange = {place: type(value) for place, value in found.items() if isinstance(value, np.generic)}
    assert not strange
