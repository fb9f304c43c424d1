"""Difference of two cases whose trainings and samples are both random.

A case is trained several times, and every training is scored on the same samples. Trainings and patients are crossed
random effects. This is the model that radiology uses for readers and cases (Obuchowski and Rockette, doi
10.1080/03610919508813243; degrees of freedom of Hillis, doi 10.1002/sim.2532), with trainings as readers and patients
as cases. The two sides have different trainings of the same patients ("unpaired readers, paired cases").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.errors import StatsError
from btlib.ranges import NOT_NEGATIVE, POSITIVE
from btlib.stats.checks import Floats, Groups, at_least, between, group_numbers, numbers
from btlib.stats.clusters import cluster_variance


@dataclass(frozen=True)
class Variance:
    """Estimated variance and its degrees of freedom.

    Attributes:
        value: Variance, at least 0.
        freedom: Degrees of freedom, above 0; infinity for a known variance.
    """

    value: float
    freedom: float

    def __post_init__(self) -> None:
        freedom = self.freedom in POSITIVE or (isinstance(self.freedom, float) and self.freedom == math.inf)
        if not (self.value in NOT_NEGATIVE and freedom):
            raise StatsError(
                f"expected a variance of 0 or more and positive degrees of freedom, got {self.value}, {self.freedom}",
                hint="find the source of NaN or infinity",
            )


@dataclass(frozen=True)
class Crossed:
    """Difference of two cases, with the variance of its two sources.

    Attributes:
        difference: Mean of a − b over trainings and samples.
        samples: Variance due to the choice of patients, at least 0.
        trainings: Variance due to the trainings, at least 0.
        freedom: Degrees of freedom of the sum of both.
        n_groups: Number of patients (or samples, if they are independent).
        n_trainings: Number of trainings of a and of b.
        n_undefined: Number of draws of patients without a value, which the variance leaves out; 0 for a mean, which
            needs no draws.
    """

    difference: float
    samples: float
    trainings: float
    freedom: float
    n_groups: int
    n_trainings: tuple[int, int]
    n_undefined: int = 0

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(self.samples + self.trainings)

    def bound(self, level: float) -> float:
        """Return the quantile `level` (0…1) of Student's t around the difference: a one-sided confidence bound."""
        from scipy.special import stdtrit

        between(0, level, 1, "a level", "0.975 is usual")
        return self.difference + float(stdtrit(self.freedom, level)) * self.error if self.error else self.difference

    def p_above(self, value: float) -> float:
        """Return the one-sided p of a difference of at least `value`; small if the difference is below it."""
        from scipy.special import stdtr

        if self.error == 0:
            return float(self.difference >= value)
        return float(stdtr(self.freedom, (self.difference - value) / self.error))


def crossed(
    a: ArrayLike,
    b: ArrayLike,
    groups: Groups | None = None,
    *,
    between_trainings: tuple[Variance, Variance] | Variance | None = None,
    interaction: float = 0.0,
) -> Crossed:
    """Compute the difference a − b of two cases over their trainings and samples.

    The variance is Σ MS/R + C. MS is the variance between the trainings of one side, and R their number. C is the
    variance due to patients that all trainings share: the cluster-robust variance of the difference of the means over
    trainings (doi 10.2307/2533958), without the interaction of trainings and patients, because MS contains it already.

    Args:
        a: One value per training and sample of a, float [r, n], or [n] of one training.
        b: The same for b, with any number of trainings, of the same samples.
        groups: Patient of every sample; None treats the samples as independent.
        between_trainings: Variance between trainings: one for both sides (two trainings of one recipe), or one for
            each side. None if both sides are the same trained models in the same order: then trainings are not random,
            and r must be equal.
        interaction: Variance over patients of one training's mean that other trainings do not share, measured on other
            trainings of the same case (`btlib.stats.interaction`). It is used for a side with one training, which does
            not tell it apart from C; 0 counts it twice there, which is safe.

    Raises:
        StatsError: Shapes differ, values are not finite, or there are fewer than two samples or groups.
    """
    first = numbers(np.atleast_2d(np.asarray(a, np.float64)), "a", ndim=2)
    second = numbers(np.atleast_2d(np.asarray(b, np.float64)), "b", ndim=2)
    n = first.shape[1]
    if second.shape[1] != n:
        raise StatsError(f"expected the same samples, got {n} and {second.shape[1]}", hint="compare the same samples")
    at_least(2, n, "samples")
    of = np.arange(n) if groups is None else group_numbers(groups, n)
    n_groups = int(of.max()) + 1
    at_least(2, n_groups, "samples" if groups is None else "groups")
    counts = (len(first), len(second))
    between(-1e-300, interaction, math.inf, "an interaction", "give a variance")
    interactions = [_interaction(side, of, n_groups) if len(side) > 1 else interaction for side in (first, second)]
    return combined(
        float(first.mean() - second.mean()),
        cluster_variance(first.mean(axis=0) - second.mean(axis=0), of, n_groups),
        interactions,
        n_groups,
        counts,
        between_trainings,
    )


def combined(
    difference: float,
    shared: float,
    interactions: Sequence[float],
    n_groups: int,
    counts: tuple[int, int],
    between_trainings: tuple[Variance, Variance] | Variance | None,
    n_undefined: int = 0,
) -> Crossed:
    """Combine the variances of patients and of trainings; the common formula of `crossed` and `crossed_from_draws`.

    Args:
        difference: Mean of a − b over trainings.
        shared: Variance of this difference over patients, with the interaction of trainings and patients.
        interactions: Variance over patients of one training's value that other trainings do not share, of a and of b.
        n_groups: Number of patients.
        counts: Number of trainings of a and of b.
        between_trainings: As in `crossed`.
        n_undefined: Number of draws without a value.

    Raises:
        StatsError: `between_trainings` is None and the numbers of trainings differ.
    """
    if between_trainings is None:
        if counts[0] != counts[1]:
            raise StatsError(
                f"expected the same models on both sides, got {counts[0]} and {counts[1]}",
                hint="give the variance between trainings",
            )
        return Crossed(difference, shared, 0.0, n_groups - 1, n_groups, counts, n_undefined)
    samples = max(0.0, shared - sum(one / r for one, r in zip(interactions, counts, strict=True)))
    trainings, freedom = _between(between_trainings, counts, interactions)
    total = samples + trainings
    terms = samples**2 / (n_groups - 1) + (trainings**2 / freedom if trainings else 0.0)
    freedom = total**2 / terms if terms else n_groups - 1
    return Crossed(difference, samples, trainings, freedom, n_groups, counts, n_undefined)


def pooled(means: Sequence[ArrayLike]) -> Variance | None:
    """Return the variance between trainings of one recipe, pooled over groups; None if no group has two trainings.

    Args:
        means: For each group of trainings, such as those of one case, the mean over samples of each training.
    """
    squares, freedom = 0.0, 0
    for group in means:
        values = numbers(group, "means")
        if len(values) > 1:
            squares += float(((values - values.mean()) ** 2).sum())
            freedom += len(values) - 1
    return Variance(squares / freedom, freedom) if freedom else None


def moderated(own: Variance | None, prior: Variance | None) -> Variance | None:
    """Return the variance of one case, shrunk towards the pool of similar cases (doi 10.2202/1544-6115.1027).

    Args:
        own: Variance between the trainings of this case; None if it has one training.
        prior: Variance of the pool, whose degrees of freedom are its weight; None if there is none.

    Returns:
        Their mean, weighted by degrees of freedom; None if both are missing.
    """
    if own is None or prior is None:
        return own or prior
    if math.isinf(prior.freedom):
        return prior
    freedom = own.freedom + prior.freedom
    return Variance((own.value * own.freedom + prior.value * prior.freedom) / freedom, freedom)


def _interaction(side: Floats, of: NDArray[np.intp], n_groups: int) -> float:
    """Return the variance over patients of one training's mean that others do not share."""
    r = len(side)
    alone = float(np.mean([cluster_variance(row - side.mean(axis=0), of, n_groups) for row in side]))
    return alone * r / (r - 1)


def _between(
    variance: tuple[Variance, Variance] | Variance, counts: tuple[int, int], interactions: Sequence[float]
) -> tuple[float, float]:
    """Return the variance of the difference due to trainings, and its degrees of freedom."""
    if isinstance(variance, Variance):
        value = max(variance.value, *interactions)
        return value * (1 / counts[0] + 1 / counts[1]), variance.freedom
    parts = [max(one.value, least) / r for one, least, r in zip(variance, interactions, counts, strict=True)]
    total = sum(parts)
    # Both may rest on the same pool: as if their errors were fully correlated, which is never too many degrees.
    spread = sum(part / math.sqrt(one.freedom) for part, one in zip(parts, variance, strict=True))
    return total, (total / spread) ** 2 if spread else math.inf
