"""Variance between trainings of one case that is tested on several folds."""

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import Groups, at_least, group_numbers, numbers
from btlib.stats.crossed import Variance, crossed, pooled


def between_seeds(values: ArrayLike, folds: Groups | None = None) -> Variance | None:
    """Return the variance, between trainings, of the mean over all samples; None for one training.

    With several folds, each fold has its own trainings. The variance of the pooled mean is then Σ (n_f/n)² s²_f over
    the folds f, with n_f samples and the variance s²_f between the trainings of this fold. The degrees of freedom are
    Satterthwaite's (doi 10.2307/3002019).

    Args:
        values: Metric by training and sample, float [r, n].
        folds: Fold of each sample [n]; None if one training predicts all samples.

    Raises:
        StatsError: Values are not finite, or there is not one fold per sample.
    """
    table = numbers(values, "values", ndim=2)
    r, n = table.shape
    if r < 2:
        return None
    if folds is None:
        return pooled([table.mean(axis=1)])
    of = group_numbers(folds, n)
    sizes = np.bincount(of)
    means = np.stack([np.bincount(of, weights=row) for row in table]) / sizes
    parts = (sizes / n) ** 2 * means.var(axis=0, ddof=1)
    total = float(parts.sum())
    return Variance(total, float(total**2 / (parts**2).sum()) * (r - 1) if total else float(r - 1))


def interaction(values: ArrayLike, groups: Groups | None = None) -> float:
    """Return the variance, over patients, of one training's mean that other trainings do not share, at least 0.

    Args:
        values: Metric by training and sample, float [r, n], r at least 2.
        groups: Patient of each sample [n]; None treats the samples as independent.

    Raises:
        StatsError: Values are not finite, or there are fewer than two trainings, samples or patients.
    """
    table = numbers(values, "values", ndim=2)
    at_least(2, len(table), "trainings")
    mean = table.mean(axis=0)
    alone = [crossed(row, mean, groups).samples for row in table]
    return float(np.mean(alone)) * len(table) / (len(table) - 1)


def share_of_folds(sizes: ArrayLike) -> float:
    """Return Σ (n_f/n)²: the variance of a mean pooled over folds, if each training has the variance 1 (0…1).

    Args:
        sizes: Number of samples n_f of each fold, int [F], each at least 1.

    Raises:
        StatsError: There is no fold, or a size is below 1.
    """
    counts = numbers(sizes, "sizes")
    if not len(counts) or counts.min() < 1:
        raise StatsError(f"expected the sizes of the folds, each at least 1, got {counts.tolist()}", hint="count them")
    return float(((counts / counts.sum()) ** 2).sum())
