"""Axis limits for charts of a metric, from the metric's range in the catalogue."""

from math import isfinite

from btlib.evaluation.catalogue import METRICS, Metrics

SHARE = (-0.02, 1.02)
"""Axis limits for shares, 0…1, with room for the markers at both ends."""


def value_limits(metric: str, known: Metrics = METRICS) -> tuple[float | None, float | None]:
    """Return the axis limits for a metric's values: 0…1 for a share, else from the lowest possible value upwards.

    A limit of None is left to the data. Differences have their own axis (see `difference_limits`).

    Args:
        metric: Name of the metric.
        known: Metrics among which it is.
    """
    low, high = known[metric].range
    return SHARE if (low, high) == (0.0, 1.0) else (low if isfinite(low) else None, None)


def difference_limits(*ends: float | None) -> tuple[float, float]:
    """Return the limits of an axis of differences, symmetric around 0.

    Args:
        ends: Values that the axis must include, such as bounds of intervals and margins; None is ignored.
    """
    reach = max((abs(end) for end in ends if end is not None), default=0.0)
    return (-1.06 * reach, 1.06 * reach) if reach else (-0.01, 0.01)
