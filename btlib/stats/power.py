"""Power of the gate: which loss a comparison can detect, and how many seeds or patients it needs.

The functions take the variance of a comparison (`Crossed`) and the two one-sided levels of the gate: `level` for a
pass, and `red` for a regression. They use Student's t with the degrees of freedom of the comparison; noncentrality is
neglected.
"""

import math
from dataclasses import dataclass, replace

from btlib.stats.checks import at_least, between
from btlib.stats.crossed import Crossed

POWER = 0.8
"""Usual probability with which a study should find what it looks for."""

_MOST = 10_000  # seeds or multiples of the patients; more are not reported


@dataclass(frozen=True)
class Enough:
    """Numbers with which an unchanged case passes with the wanted probability.

    Attributes:
        trainings: Trainings on each side, with the same patients; None if no number of trainings is enough.
        groups: Patients, with the same trainings; None if no number of patients is enough.
    """

    trainings: int | None
    groups: int | None


def p_pass(found: Crossed, margin: float, level: float, loss: float = 0.0) -> float:
    """Return the probability of a pass, 0…1: the lower bound of the difference is above −margin.

    Args:
        found: Comparison, of which only the variance is used.
        margin: Largest tolerated loss, above 0.
        level: One-sided level of the bound, between 0 and 1.
        loss: True loss; 0 for an unchanged case.

    Raises:
        StatsError: The margin or the level is out of range.
    """
    from scipy.special import stdtr

    between(0, level, 1, "a level", "0.025 is usual")
    between(0, margin, math.inf, "a margin", "give the largest tolerated loss")
    t = _t(found, 1 - level)
    if found.error == 0:
        return float(loss < margin)
    return float(stdtr(found.freedom, (margin - loss) / found.error - t))


def p_regressed(found: Crossed, margin: float, red: float, loss: float) -> float:
    """Return the probability of a regression, 0…1: the difference is below −margin, and its p is below `red`.

    Args:
        found: Comparison, of which only the variance is used.
        margin: Largest tolerated loss, above 0.
        red: Largest one-sided p of a regression, between 0 and 1.
        loss: True loss.

    Raises:
        StatsError: The margin or `red` is out of range.
    """
    from scipy.special import stdtr

    between(0, red, 1, "a level", "0.025 is usual")
    between(0, margin, math.inf, "a margin", "give the largest tolerated loss")
    line = _line(found, margin, red)
    if found.error == 0:
        return float(loss > margin)
    return float(stdtr(found.freedom, (loss - line) / found.error))


def detectable(found: Crossed, margin: float, red: float, power: float = POWER) -> float:
    """Return the smallest true loss that is a regression with probability `power`, in the metric's unit.

    Args:
        found: Comparison, of which only the variance is used.
        margin: Largest tolerated loss, above 0.
        red: Largest one-sided p of a regression, between 0 and 1.
        power: Wanted probability, between 0 and 1.

    Raises:
        StatsError: An argument is out of range.
    """
    between(0, red, 1, "a level", "0.025 is usual")
    between(0, margin, math.inf, "a margin", "give the largest tolerated loss")
    return float(_line(found, margin, red) + _t(found, power) * found.error)


def enough(found: Crossed, margin: float, level: float, power: float = POWER) -> Enough:
    """Return how many trainings, or how many patients, let an unchanged case pass with probability `power`.

    Args:
        found: Comparison, of which only the variance is used.
        margin: Largest tolerated loss, above 0.
        level: One-sided level of the bound of a pass, between 0 and 1.
        power: Wanted probability, between 0 and 1.

    Raises:
        StatsError: An argument is out of range.
    """
    between(0, level, 1, "a level", "0.025 is usual")
    between(0, power, 1, "a power", "0.8 is usual")

    def first(number: int, change: str) -> int | None:
        """Return the smallest number that is enough, by bisection."""

        def passes(k: int) -> bool:
            return p_pass(with_numbers(found, **{change: k}), margin, level) >= power

        low, high = number, number
        while not passes(high):
            if high > _MOST * number:
                return None
            low, high = high + 1, high * 2
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if passes(middle) else (middle + 1, high)
        return high

    return Enough(first(max(1, min(found.n_trainings)), "trainings"), first(found.n_groups, "groups"))


def with_numbers(found: Crossed, *, trainings: int | None = None, groups: int | None = None) -> Crossed:
    """Return a comparison with the same variances of one training and one patient, but other numbers of them.

    Args:
        found: Comparison.
        trainings: Trainings on each side; None keeps them.
        groups: Patients, at least 2; None keeps them.

    Raises:
        StatsError: A number is too small.
    """
    of_trainings = _freedom_of_trainings(found)
    samples, variance = found.samples, found.trainings
    if groups is not None:
        at_least(2, groups, "groups")
        groups = int(groups)
        samples *= found.n_groups / groups
    if trainings is not None:
        at_least(1, trainings, "trainings")
        trainings = int(trainings)
        first, second = found.n_trainings
        variance *= (2 / trainings) / (1 / first + 1 / second)
        of_trainings = max(of_trainings, 2 * (trainings - 1))
    n_groups = groups or found.n_groups
    total = samples + variance
    terms = samples**2 / (n_groups - 1) + (variance**2 / of_trainings if variance else 0.0)
    return replace(
        found,
        samples=samples,
        trainings=variance,
        freedom=total**2 / terms if terms else n_groups - 1,
        n_groups=n_groups,
        n_trainings=found.n_trainings if trainings is None else (trainings, trainings),
    )


def _freedom_of_trainings(found: Crossed) -> float:
    """Return the degrees of freedom of the variance between trainings, which Satterthwaite's formula has combined."""
    total = found.samples + found.trainings
    rest = total**2 / found.freedom - found.samples**2 / (found.n_groups - 1)
    return found.trainings**2 / rest if rest > 1e-9 * total**2 else math.inf


def _line(found: Crossed, margin: float, red: float) -> float:
    """Return the observed loss beyond which a case regresses."""
    return max(margin, _t(found, 1 - red) * found.error)


def _t(found: Crossed, level: float) -> float:
    from scipy.special import ndtri, stdtrit

    between(0, level, 1, "a level", "0.975 is usual")
    return float(ndtri(level)) if math.isinf(found.freedom) else float(stdtrit(found.freedom, level))
