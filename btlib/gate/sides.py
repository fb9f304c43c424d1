"""Trainings of one side of a comparison, scored on the same samples, and the comparison of two sides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.results import CaseResult, SeedRun, set_draws, values_in_order
from btlib.sample_table import SampleTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Side:
    """Trainings of one side: a metric of each sample, or of all samples together with its draws of patients.

    Attributes:
        values: Value of each training, float64 [r]: the mean over samples, or the metric of all samples.
        samples: Metric by training and sample, float64 [r, n]; None for a metric of all samples together.
        draws: Metric by training and draw of patients, float64 [r, b]; None for a metric of each sample.
        groups: Patient of each sample, int64 [n].
        folds: Fold number of each sample, int64 [n], if each fold has its own training; None for a single split.
    """

    values: Floats
    samples: Floats | None
    draws: Floats | None
    groups: NDArray[np.int64]
    folds: NDArray[np.int64] | None

    def between(self) -> stats.Variance | None:
        """Return the variance between the trainings; None for one training."""
        return stats.pooled([self.values]) if self.samples is None else stats.between_seeds(self.samples, self.folds)

    def interaction(self) -> float | None:
        """Return the variance over patients of one training that others do not share; None for one training."""
        if len(self.values) == 1:
            return None
        if self.samples is not None:
            return stats.interaction(self.samples, self.groups)
        assert self.draws is not None  # a metric of all samples has draws
        return stats.interaction_from_draws(self.draws, len(np.unique(self.groups)))

    def first(self) -> "Side":
        """Return the side with its first training only."""
        return self._rows(lambda rows: rows[:1])

    def averaged(self) -> "Side":
        """Return the mean over the trainings, as a single one."""
        return self._rows(lambda rows: rows.mean(axis=0, keepdims=True))

    def _rows(self, of: Callable[[Floats], Floats]) -> "Side":
        samples, draws = (None if rows is None else of(rows) for rows in (self.samples, self.draws))
        return replace(self, values=of(self.values[:, None])[:, 0], samples=samples, draws=draws)


def side(runs: Sequence[SeedRun], result: CaseResult, metric: str) -> Side:
    """Return the trainings of one side. Seeds with the same numbers are a single training (see `distinct`).

    Args:
        runs: Trainings, all of the samples of `result`.
        result: Measured result. It gives the order of the samples, their patients and their folds.
        metric: Name of the metric.

    Raises:
        StatsError: The metric cannot be computed, or there are fewer than two patients for one of all samples together.
    """
    runs = distinct(runs)
    folds = np.unique(result.folds, return_inverse=True)[1].astype(np.int64) if result.folds else None
    if result.definitions[metric].level == "set":
        drawn = set_draws(runs, result.samples, metric)
        return Side(drawn.values, None, drawn.draws, result.groups, folds)
    inside = result.definitions[metric].members(result.samples)
    samples = values_in_order(runs, result.samples, metric)[:, inside]
    return Side(samples.mean(axis=1), samples, None, result.groups[inside], None if folds is None else folds[inside])


_SAME = 1e-9
"""Largest difference of two numbers of the same training, such as one that was computed in another order."""


def distinct(runs: Sequence[SeedRun]) -> Sequence[SeedRun]:
    """Return the runs without those whose numbers an earlier run has: they are no other training.

    Numbers are the same if they differ by at most 1e-9 in every sample. Samples that all have the same value, such as
    a score at its limit, are no sign of the same training.
    """
    found: list[SeedRun] = []
    for run in runs:
        if not any(_are_same(run.samples, other.samples) for other in found):
            found.append(run)
    return found


def seed_is_ignored(runs: Sequence[SeedRun]) -> bool:
    """Return whether several seeds have the same numbers: the case ignores its seed, and tells nothing of trainings."""
    return len(runs) > 1 and len(distinct(runs)) == 1


def _are_same(one: SampleTable, other: SampleTable) -> bool:
    if one.id != other.id or one.columns.keys() != other.columns.keys():
        return False
    varies = False
    for name, column in one.columns.items():
        a, b = (np.array([np.nan if v is None else v for v in part], float) for part in (column, other.columns[name]))
        if not np.allclose(a, b, rtol=0, atol=_SAME, equal_nan=True):
            return False
        varies = varies or len(np.unique(a)) > 1
    return varies


def crossed(
    a: Side,
    b: Side,
    between_trainings: tuple[stats.Variance, stats.Variance] | stats.Variance | None,
    interaction: float = 0.0,
) -> stats.Crossed:
    """Compute the difference a − b of two sides of the same samples; see `stats.crossed`.

    Raises:
        StatsError: There are fewer than two samples or patients, or a metric of all samples together has no value in
            more than 5 % of the draws of patients.
    """
    if a.samples is not None and b.samples is not None:
        return stats.crossed(
            a.samples, b.samples, a.groups, between_trainings=between_trainings, interaction=interaction
        )
    assert a.draws is not None  # both sides have the same metric
    assert b.draws is not None
    return stats.crossed_from_draws(
        a.values,
        b.values,
        a.draws,
        b.draws,
        len(np.unique(a.groups)),
        between_trainings=between_trainings,
        interaction=interaction,
    )
