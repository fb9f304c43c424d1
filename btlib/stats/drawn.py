"""Statistics of a whole set, such as AUROC: variance from values that are computed anew for draws of patients.

`sample_weights` draws patients. The caller computes the statistic for each draw, with the same draws for all trainings
and cases. `drawn_interval` and `crossed_from_draws` use the variance over the draws.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import Floats, Groups, at_least, confident, group_numbers, numbers
from btlib.stats.clusters import students_reach
from btlib.stats.crossed import Crossed, Variance, combined
from btlib.stats.resampling import draws

MOST_UNDEFINED = 0.05
"""Largest share of draws without a value. With more of them there is no variance."""

_CELLS = 1_000_000  # largest number of weights at once: 8 MB


@dataclass(frozen=True)
class DrawnInterval:
    """Value of a statistic of a set, with its interval over patients.

    Attributes:
        value: Value for all samples.
        low: Lower bound of its interval.
        high: Upper bound of its interval.
        error: Standard error, at least 0.
        n_groups: Number of patients (or samples, if they are independent).
        n_draws: Number of draws.
        n_undefined: Number of draws without a value, which the interval leaves out.
    """

    value: float
    low: float
    high: float
    error: float
    n_groups: int
    n_draws: int
    n_undefined: int


def sample_weights(
    n: int, groups: Groups | None = None, n_resamples: int = 2000, seed: int = 0
) -> tuple[int, Iterator[Floats]]:
    """Draw patients with replacement, and count how often each sample is drawn.

    Args:
        n: Number of samples, at least 2.
        groups: Patient of every sample [n]; None treats the samples as independent.
        n_resamples: Number of draws, at least 2.
        seed: Seed of the draws. The same seed and patients give the same draws, whatever the order of the samples.

    Returns:
        The number of patients, and the counts: float64 [rows, n], in pieces with n_resamples rows in total.

    Raises:
        StatsError: There is not one group per sample, or there are fewer than two samples, groups or draws.
    """
    at_least(2, n, "samples")
    at_least(2, n_resamples, "resamples")
    of = np.arange(n) if groups is None else group_numbers(groups, n)
    n_groups = int(of.max()) + 1
    at_least(2, n_groups, "samples" if groups is None else "groups")
    rows = max(1, _CELLS // n)

    def pieces() -> Iterator[Floats]:
        for weights in draws(seed, n_groups, n_resamples)[0]:
            for start in range(0, len(weights), rows):
                yield weights[start : start + rows, of]

    return n_groups, pieces()


def drawn_interval(value: float, drawn: ArrayLike, n_groups: int, confidence: float = 0.95) -> DrawnInterval:
    """Student's interval of a statistic: value ± t · standard error, with one degree of freedom less than patients.

    The standard error is that of the draws, with the factor √(g/(g − 1)) for g patients. Percentiles of the draws are
    not used: they are too narrow for few patients, and draws of a calibration error are larger than its value. The
    interval does not correct the bias of a statistic. The calibration error of few samples, for example, is larger than
    that of the population; in the difference of two cases on the same samples this bias largely cancels.

    Args:
        value: Value for all samples.
        drawn: Value for each draw of patients, float [b]; NaN if undefined.
        n_groups: Number of patients, at least 2.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        StatsError: The value is not finite, more than 5 % of the draws are undefined, a number is infinite, there are
            fewer than two patients, or the confidence is not between 0 and 1.
    """
    confident(confidence)
    (plain,) = numbers([value], "value").tolist()
    at_least(2, n_groups, "groups")
    rows, n_undefined = _defined(np.asarray(drawn, np.float64)[None])
    error = math.sqrt(float(_variance(rows, n_groups)[0]))
    half = students_reach(confidence, n_groups - 1) * error
    n_draws = rows.shape[1] + n_undefined
    return DrawnInterval(plain, plain - half, plain + half, error, int(n_groups), n_draws, n_undefined)


def crossed_from_draws(
    a: ArrayLike,
    b: ArrayLike,
    a_draws: ArrayLike,
    b_draws: ArrayLike,
    n_groups: int,
    *,
    between_trainings: tuple[Variance, Variance] | Variance | None = None,
    interaction: float = 0.0,
) -> Crossed:
    """Compute the difference a − b of two cases over their trainings and patients, for a statistic of a whole set.

    This is `crossed`, with the variance over draws of patients in place of the cluster-robust variance of a mean. For a
    mean and patients with equally many samples both agree, except for the Monte Carlo error of the draws.

    Args:
        a: Value of each training of a for all samples, float [r].
        b: Value of each training of b, float [s].
        a_draws: Values of the trainings of a for each draw of patients, float [r, n_draws]; NaN if undefined.
        b_draws: Values of the trainings of b for the same draws, float [s, n_draws].
        n_groups: Number of patients, at least 2.
        between_trainings: As in `crossed`.
        interaction: As in `crossed`.

    Raises:
        StatsError: A value for all samples is not finite, shapes differ, more than 5 % of the draws are undefined for
            some training, there are fewer than two patients, or `between_trainings` is None and r is not s.
    """
    first, second = numbers(a, "a"), numbers(b, "b")
    drawn_a, drawn_b = np.asarray(a_draws, np.float64), np.asarray(b_draws, np.float64)
    at_least(1, min(len(first), len(second)), "trainings")
    at_least(2, n_groups, "groups")
    expected = ((len(first), drawn_a.shape[-1]), (len(second), drawn_a.shape[-1]))
    if (drawn_a.shape, drawn_b.shape) != expected:
        raise StatsError(
            f"expected draws of shapes {expected[0]} and {expected[1]}, got {drawn_a.shape} and {drawn_b.shape}",
            hint="give one row per training, and the same draws on both sides",
        )
    if not 0 <= interaction < math.inf:
        raise StatsError(f"expected an interaction of 0 or more, got {interaction}", hint="give a variance")
    rows, n_undefined = _defined(np.concatenate([drawn_a, drawn_b]))
    sides = rows[: len(first)], rows[len(first) :]
    return combined(
        float(first.mean() - second.mean()),
        float(_variance((sides[0].mean(axis=0) - sides[1].mean(axis=0))[None], n_groups)[0]),
        [_interaction(side, n_groups) if len(side) > 1 else interaction for side in sides],
        int(n_groups),
        (len(first), len(second)),
        between_trainings,
        n_undefined,
    )


def interaction_from_draws(drawn: ArrayLike, n_groups: int) -> float:
    """Return the variance, over patients, of one training's value that other trainings do not share, at least 0.

    Args:
        drawn: Values of the trainings for each draw of patients, float [r, n_draws], r at least 2; NaN if undefined.
        n_groups: Number of patients, at least 2.

    Raises:
        StatsError: There are fewer than two trainings, draws or patients, or more than 5 % of the draws are undefined.
    """
    table = np.atleast_2d(np.asarray(drawn, np.float64))
    at_least(2, len(table), "trainings")
    at_least(2, n_groups, "groups")
    return _interaction(_defined(table)[0], n_groups)


def _defined(rows: Floats) -> tuple[Floats, int]:
    """Return the draws that have a value in every row, and the number of the others."""
    at_least(2, rows.shape[1], "draws")
    known = np.asarray(~np.isnan(rows).any(axis=0))
    n_undefined = int(np.count_nonzero(~known))
    if n_undefined > MOST_UNDEFINED * known.size:
        raise StatsError(
            f"{n_undefined} of {known.size} draws of groups have no value: the variance is not known",
            hint="too few groups have a class; test on more of them, or use a metric of single samples",
        )
    return numbers(rows[:, known], "draws", ndim=2), n_undefined


def _variance(rows: Floats, n_groups: int) -> Floats:
    """Variance of each row over draws, with the factor g/(g − 1)."""
    centred = rows - rows[:, :1]  # equal values have exactly no variance
    return np.asarray(centred.var(axis=1, ddof=1) * (n_groups / (n_groups - 1)))


def _interaction(side: Floats, n_groups: int) -> float:
    r = len(side)
    return float(_variance(side - side.mean(axis=0), n_groups).mean()) * r / (r - 1)
