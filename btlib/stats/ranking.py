"""Ranking of three or more models on the same patients or folds: average ranks and which models differ."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import Floats, at_least, between, numbers


@dataclass(frozen=True, eq=False)
class Ranking:
    """Average ranks of k models over n blocks.

    Attributes:
        ranks: Average rank of each model, float64 [k], 1 (best)…k.
        statistic: Friedman's chi-squared, corrected for ties.
        p: p of Friedman's test; the null hypothesis is that no model is better than another.
        critical_difference: Nemenyi's critical difference. Models differ if their average ranks are at least this far
            apart.
        n: Number of blocks.
    """

    ranks: Floats
    statistic: float
    p: float
    critical_difference: float
    n: int

    def together(self) -> list[tuple[int, ...]]:
        """Return the bars of a critical-difference diagram: the largest groups of models that do not differ.

        Each group lists its models from best to worst.
        """
        order = np.argsort(self.ranks, kind="stable")
        runs: list[tuple[int, ...]] = []
        for first in range(len(order)):
            near = self.ranks[order] < self.ranks[order[first]] + self.critical_difference
            run = tuple(int(model) for model in order[first : np.count_nonzero(near)])
            if len(run) > 1 and not (runs and set(run) <= set(runs[-1])):
                runs.append(run)
        return runs


def rank_models(scores: ArrayLike, *, higher_is_better: bool = True, alpha: float = 0.05) -> Ranking:
    """Friedman's test and Nemenyi's critical difference (Demšar 2006, jmlr.org/papers/v7/demsar06a.html).

    Args:
        scores: Score of each model on each block, float [n, k]: n blocks (patients, folds or data sets, not samples of
            one patient), k at least 3 models.
        higher_is_better: Whether rank 1 is the highest score. Equal scores share the mean of their ranks.
        alpha: Significance level of the critical difference, between 0 and 1.

    Raises:
        StatsError: Fewer than two blocks or three models, or scores that are not finite.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    table = numbers(scores, "scores", ndim=2)
    n, k = table.shape
    at_least(2, n, "blocks")
    if k < 3:
        raise StatsError(f"expected at least 3 models, got {k}", hint="compare two with paired or wilcoxon")
    between(0, alpha, 1, "alpha", "0.05 is usual")
    ranks = rankdata(-table if higher_is_better else table, axis=1)
    # if all models tie in every block, the statistic is 0/0
    statistic, p = (0.0, 1.0) if np.ptp(ranks) == 0 else friedmanchisquare(*ranks.T)
    apart = float(studentized_range.ppf(1 - alpha, k, np.inf)) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
    return Ranking(np.asarray(ranks.mean(axis=0)), float(statistic), float(p), apart, n)
