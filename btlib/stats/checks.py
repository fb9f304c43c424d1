"""What statistics accept: finite numbers of the same samples. Nothing is dropped, and nothing is repaired."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.errors import StatsError

Floats = NDArray[np.float64]

Groups = Sequence[object] | NDArray[np.int64]
"""Patient, or another group, of every sample: names or numbers."""

_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # of a subtraction and a mean, generously
_VANISHING = 1e-150  # squares of smaller numbers are 0


def numbers(values: ArrayLike, what: str, ndim: int = 1) -> Floats:
    """Finite float64 numbers with a given number of axes.

    Raises:
        StatsError: Not numbers, another number of axes, NaN or infinity.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatsError(f"expected numbers, got {values!r:.80}", where=what, hint="give floats or bools") from error
    if array.ndim != ndim:
        hint = "one number a sample" if ndim == 1 else "one row a comparison or block"
        raise StatsError(f"expected {ndim} axes, got shape {array.shape}", where=what, hint=f"give {hint}")
    if not np.isfinite(array).all():
        hint = "look where NaN or infinity came from; nothing is dropped here"
        raise StatsError(f"{np.count_nonzero(~np.isfinite(array))} values are not finite", where=what, hint=hint)
    return array


def same_samples(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Two measurements of the same samples as float64 [n] each, n at least 2.

    Raises:
        StatsError: Lengths differ, values are not finite numbers, or fewer than two samples.
    """
    first, second = np.shape(a), np.shape(b)
    if len(first) != 1 or first != second:
        raise StatsError(
            f"expected two lists of the same length, got shapes {first} and {second}",
            hint="give one value a sample, of the same samples in the same order",
        )
    at_least(2, first[0], "samples")
    return numbers(a, "a"), numbers(b, "b")


def at_least(least: int, n: int, what: str) -> None:
    """Refuse too few of something.

    Raises:
        StatsError: `n` is below `least`.
    """
    if n < least:
        raise StatsError(f"expected at least {least} {what}, got {n}", hint=f"compare on more {what}")


def between(low: float, value: float, high: float, what: str, hint: str) -> None:
    """Refuse a number that is not strictly between two others (NaN never is).

    Raises:
        StatsError: It is not.
    """
    if not low < value < high:
        raise StatsError(f"expected {what} between {low:g} and {high:g}, got {value}", hint=hint)


def confident(confidence: float) -> None:
    """Refuse what is no confidence, such as 95.

    Raises:
        StatsError: It is not between 0 and 1.
    """
    between(0, confidence, 1, "a confidence", "0.95 is usual")


def without_spread(differences: Floats, scale: float) -> float | None:
    """The number that all differences are but for rounding, of values as large as `scale`; None where they spread."""
    if np.ptp(differences) > max(_ROUNDING * scale, _VANISHING):
        return None
    middle = float(differences.mean())
    return middle if abs(middle) > max(_ROUNDING * scale, _VANISHING) else 0.0


def group_numbers(groups: Groups, n: int) -> NDArray[np.intp]:
    """Number of each sample's group, int [n]. Groups are numbered by name, so that the order of rows is of no account.

    Raises:
        StatsError: Not one group a sample, or a sample without one (None, NaN).
    """
    if len(groups) != n:
        raise StatsError(f"expected {n} groups, got {len(groups)}", hint="give one patient a sample")
    if any(group is None or group != group for group in groups):
        raise StatsError("some samples have no group", hint="give every sample a patient, or groups=None")
    names = groups if isinstance(groups, np.ndarray) else [str(group) for group in groups]
    return np.asarray(np.unique(names, return_inverse=True)[1], np.intp)


def plain(*numbers: float) -> tuple[float, ...]:
    """Python's own numbers in place of NumPy's, which warn where they divide by 0 and show in every result."""
    return tuple(number.item() if isinstance(number, np.generic) else number for number in numbers)
