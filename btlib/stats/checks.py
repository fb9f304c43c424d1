"""Checks of the inputs of statistics: finite numbers of the same samples. No value is dropped or corrected."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.errors import StatsError
from btlib.natural_order import natural
from btlib.ranges import SEED, Range

Floats = NDArray[np.float64]

Groups = Sequence[object] | NDArray[np.int64]
"""Group of every sample, such as its patient: names or numbers."""

_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # generous bound for the rounding of a subtraction and a mean
_VANISHING = 1e-150  # squares of smaller numbers underflow to 0


def numbers(values: ArrayLike, what: str, ndim: int = 1) -> Floats:
    """Convert values to finite float64 numbers with a given number of axes.

    Raises:
        StatsError: The values are not numbers, have another number of axes, or contain NaN or infinity.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatsError(f"expected numbers, got {values!r:.80}", where=what, hint="give floats or bools") from error
    if array.ndim != ndim:
        hint = "one number per sample" if ndim == 1 else "one row per comparison or block"
        raise StatsError(f"expected {ndim} axes, got shape {array.shape}", where=what, hint=f"give {hint}")
    if not np.isfinite(array).all():
        hint = "find the source of NaN or infinity; no value is dropped here"
        raise StatsError(f"{np.count_nonzero(~np.isfinite(array))} values are not finite", where=what, hint=hint)
    return array


def same_samples(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Convert two measurements of the same samples to float64 [n] each, n at least 2.

    Raises:
        StatsError: The lengths differ, values are not finite numbers, or there are fewer than two samples.
    """
    first, second = np.shape(a), np.shape(b)
    if len(first) != 1 or first != second:
        raise StatsError(
            f"expected two lists of the same length, got shapes {first} and {second}",
            hint="give one value per sample, of the same samples in the same order",
        )
    at_least(2, first[0], "samples")
    return numbers(a, "a"), numbers(b, "b")


def at_least(least: int, n: int, what: str) -> None:
    """Check that there are enough items.

    Raises:
        StatsError: `n` is not a whole number, or is below `least`.
    """
    if n not in Range(least, whole=True):
        raise StatsError(f"expected at least {least} {what}, got {n}", hint=f"compare on more {what}")


def between(low: float, value: float, high: float, what: str, hint: str) -> None:
    """Check that a number is strictly between two others; NaN, True and text never are.

    Raises:
        StatsError: The number is not between them.
    """
    if value not in Range(low, high, above=True, below=True):
        raise StatsError(f"expected {what} between {low:g} and {high:g}, got {value}", hint=hint)


def confident(confidence: float) -> None:
    """Check that a confidence level is between 0 and 1; 95, for example, is refused.

    Raises:
        StatsError: The confidence is not between 0 and 1.
    """
    between(0, confidence, 1, "a confidence", "0.95 is usual")


def resampled(n_resamples: int, seed: int) -> None:
    """Check the number of resamples, and the seed of their draws.

    Raises:
        StatsError: There is no resample, or the seed is not in 0…2³²−1.
    """
    at_least(1, n_resamples, "resamples")
    SEED.require(seed, "seed", error=StatsError)


def without_spread(differences: Floats, scale: float) -> float | None:
    """Return the value that all differences share up to rounding; None if they differ.

    Args:
        differences: Differences, float [n].
        scale: Largest absolute value of the measurements; it determines the rounding error.
    """
    if np.ptp(differences) > max(_ROUNDING * scale, _VANISHING):
        return None
    middle = float(differences.mean())
    return middle if abs(middle) > max(_ROUNDING * scale, _VANISHING) else 0.0


def group_numbers(groups: Groups, n: int) -> NDArray[np.intp]:
    """Return the number of each sample's group, int [n].

    The natural order of the names sets the numbers, not the order of rows. Groups named by numbers and by the texts of
    these numbers ("9" before "10") have the same numbers, so resampling gives the same bounds.

    Raises:
        StatsError: There is not one group per sample, or a sample has none (None, NaN).
    """
    if len(groups) != n:
        raise StatsError(f"expected {n} groups, got {len(groups)}", hint="give one patient per sample")
    if any(group is None or group != group for group in groups):
        raise StatsError("some samples have no group", hint="give every sample a patient, or groups=None")
    if isinstance(groups, np.ndarray) and groups.dtype.kind in "biuf":
        values, of = np.unique(groups, return_inverse=True)
        names = [str(value) for value in values]
    else:
        given = [str(group) for group in groups]
        names = sorted(set(given))
        at = {name: k for k, name in enumerate(names)}
        of = np.array([at[name] for name in given], np.intp)
    place = np.empty(len(names), np.intp)
    place[sorted(range(len(names)), key=lambda k: natural(names[k]))] = np.arange(len(names))
    return np.asarray(place[of])


def plain(*numbers: float) -> tuple[float, ...]:
    """Convert NumPy numbers to Python numbers. NumPy's warn on division by 0, and their type shows in every result."""
    return tuple(number.item() if isinstance(number, np.generic) else number for number in numbers)
