"""Speedup from runs that were timed in turns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import at_least, confident, numbers


@dataclass(frozen=True)
class Speedup:
    """Ratio of two times with its confidence interval.

    Attributes:
        value: Median over turns of their time / our time; above 1 means that ours is faster.
        low: Lower bound.
        high: Upper bound.
        turns: Number of turns.
    """

    value: float
    low: float
    high: float
    turns: int


def speedup(ours: ArrayLike, theirs: ArrayLike, confidence: float = 0.95) -> Speedup:
    """Ratio of two times measured in turns A B B A A B B A …; each turn of four runs gives one ratio.

    A disturbance that lasts longer than a turn slows both sides, and a linear drift within a turn cancels. The interval
    is that of a median by order statistics (doi 10.1002/0471722162, section 7.1). With fewer than six turns it is the
    full range of the ratios, and a 95 % confidence is not reached.

    Args:
        ours: Seconds of the A runs in order, an even number of values, each above 0.
        theirs: Seconds of the B runs in order, as many as in `ours`.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        StatsError: The numbers of runs do not form complete turns, or a time is not positive.
    """
    from scipy.stats import binom

    a, b = numbers(ours, "ours"), numbers(theirs, "theirs")
    confident(confidence)
    if len(a) != len(b) or len(a) % 2:
        raise StatsError(f"expected complete turns A B B A, got {len(a)} A and {len(b)} B", hint="measure in turns")
    at_least(2, len(a), "runs per side")
    if min(a.min(), b.min()) <= 0:
        raise StatsError("expected seconds above 0", hint="time something longer than the resolution of the clock")
    ratios = np.sort(b.reshape(-1, 2).sum(axis=1) / a.reshape(-1, 2).sum(axis=1))
    n = len(ratios)
    skip = max(int(binom.ppf((1 - confidence) / 2, n, 0.5)) - 1, 0)  # ranks left out on each side
    return Speedup(float(np.median(ratios)), float(ratios[skip]), float(ratios[n - 1 - skip]), n)
