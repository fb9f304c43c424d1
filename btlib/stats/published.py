"""Difference from a published mean, of which no samples are known."""

import math

import numpy as np
from numpy.typing import ArrayLike

from btlib.stats.checks import Groups, at_least, between, numbers, plain
from btlib.stats.crossed import Crossed, Variance, crossed
from btlib.stats.unpaired import design_effect


def crossed_with_published(
    a: ArrayLike,
    mean: float,
    std: float,
    n: float,
    groups: Groups | None = None,
    *,
    between_trainings: Variance,
) -> Crossed:
    """Compute the difference of a case from a published mean: `crossed` for two independent sets of samples.

    The published side is one training. Its samples are assumed to depend on each other as those of `a` do: the design
    effect (`design_effect`) reduces their number.

    Args:
        a: One value per training and sample, float [r, m].
        mean: Published mean.
        std: Published standard deviation over samples, at least 0.
        n: Published number of samples, at least 2.
        groups: Patient of every sample of `a`; None treats the samples as independent.
        between_trainings: Variance between trainings, the same on both sides.

    Raises:
        StatsError: Values are not finite, a number is out of range, or there are fewer than two samples or patients.
    """
    first = numbers(np.atleast_2d(np.asarray(a, np.float64)), "a", ndim=2)
    at_least(2, first.shape[1], "samples")
    between(-math.inf, mean, math.inf, "a published mean", "find the source of NaN or infinity")
    between(-1e-300, std, math.inf, "a published standard deviation", "give it as published")
    between(1, n, math.inf, "a published number of samples", "at least 2 are needed")
    mean, std, n = plain(mean, std, n)
    mine = crossed(first, np.zeros((1, first.shape[1])), groups, between_trainings=between_trainings)
    effect = 1.0 if groups is None else design_effect(first.mean(axis=0), groups)
    theirs, their_freedom = std**2 * effect / n, max(1.0, n / effect - 1)
    samples = mine.samples + theirs
    total = samples + mine.trainings
    terms = mine.samples**2 / (mine.n_groups - 1) + theirs**2 / their_freedom
    terms += mine.trainings**2 / between_trainings.freedom if mine.trainings else 0.0
    freedom = total**2 / terms if terms else mine.n_groups - 1
    return Crossed(
        difference=float(first.mean()) - mean,
        samples=samples,
        trainings=mine.trainings,
        freedom=freedom,
        n_groups=mine.n_groups,
        n_trainings=(len(first), 1),
    )
