"""Variance of a mean whose samples come in clusters, such as the samples of a patient."""

import numpy as np
from numpy.typing import NDArray

from btlib.stats.checks import Floats

FEW = 20
"""With fewer clusters than this, intervals of means are Student's; percentiles of a bootstrap are too narrow there."""


def mean_variance(sums: Floats, n: float) -> Floats:
    """Return the cluster-robust variance of a mean, with the factor g/(g − 1) for g clusters (doi 10.2307/2533958).

    Args:
        sums: Sums over each cluster of the values minus their mean, float [..., g], g at least 2.
        n: Number of samples of all clusters.

    Returns:
        Variance of the mean over samples, float64 [...].
    """
    g = np.shape(sums)[-1]
    return np.asarray(((sums / n) ** 2).sum(axis=-1) * (g / (g - 1)))


def cluster_variance(values: Floats, of: NDArray[np.intp], n_groups: int) -> float:
    """Return the variance of the mean of `values` [n] if whole clusters are drawn; `of` is the cluster of each [n]."""
    sums = np.bincount(of, weights=values - values.mean(), minlength=n_groups).astype(np.float64)
    return float(mean_variance(sums, len(values)))


def students_reach(confidence: float, freedom: float) -> float:
    """Return the half width of a two-sided Student interval, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))
