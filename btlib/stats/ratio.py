"""How many times as fast, from runs that took turns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from btlib.errors import StatsError
from btlib.stats.checks import at_least, confident, numbers


@dataclass(frozen=True)
class Speedup:
    """A ratio of times and its interval.

    Attributes:
        value: Median over turns of their time / our time; above 1 we are faster.
        low: Lower bound.
        high: Upper bound.
        turns: How many turns it rests on.
    """

    value: float
    low: float
    high: float
    turns: int


def speedup(ours: ArrayLike, theirs: ArrayLike, confidence: float = 0.95) -> Speedup:
    """The ratio of two times measured in turns A B B A A B B A …, each turn of four giving one ratio.

    What slows the machine down for longer than a turn slows both sides, and a drift within a turn cancels. The interval
    is that of a median by order statistics (doi 10.1002/0471722162, section 7.1); under six turns it is the whole
    range, and surer is not to be had.

    Args:
        ours: Seconds of the A's in order, an even number of them, each above 0.
        theirs: Seconds of the B's in order, as many.
        confidence: Between 0 and 1.

    Raises:
        StatsError: Numbers of runs that are no whole turns, or times that are not positive.
    """
    from scipy.stats import binom

    a, b = numbers(ours, "ours"), numbers(theirs, "theirs")
    confident(confidence)
    if len(a) != len(b) or len(a) % 2:
        raise StatsError(f"expected whole turns A B B A, got {len(a)} A and {len(b)} B", hint="measure in turns")
    at_least(2, len(a), "runs a side")
    if min(a.min(), b.min()) <= 0:
        raise StatsError("expected seconds above 0", hint="time something that takes longer than the clock's tick")
    ratios = np.sort(b.reshape(-1, 2).sum(axis=1) / a.reshape(-1, 2).sum(axis=1))
    n = len(ratios)
    skip = max(int(binom.ppf((1 - confidence) / 2, n, 0.5)) - 1, 0)  # ranks left out on each side
    return Speedup(float(np.median(ratios)), float(ratios[skip]), float(ratios[n - 1 - skip]), n)
