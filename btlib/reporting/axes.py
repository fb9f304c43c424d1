"""The axis on which values of a metric are drawn, by its range in the catalogue."""

from btlib.evaluation.catalogue import METRICS

SHARE = (-0.02, 1.02)
"""The axis of shares, 0…1, with room for the marks at its ends."""


def value_limits(metric: str) -> tuple[float, float | None]:
    """Ends of the axis of a metric's values: all of 0…1 for a share, else from the lowest possible value to the data's.

    A difference has an axis of its own, centred at 0 (see `difference_limits`).
    """
    low, high = METRICS[metric].range
    return SHARE if (low, high) == (0.0, 1.0) else (low, None)


def difference_limits(*ends: float | None) -> tuple[float, float]:
    """Ends of an axis of differences, as far on one side of 0 as on the other.

    Args:
        ends: Bounds of intervals and margins that must be on it.
    """
    reach = max((abs(end) for end in ends if end is not None), default=0.0)
    return (-1.06 * reach, 1.06 * reach) if reach else (-0.01, 0.01)
