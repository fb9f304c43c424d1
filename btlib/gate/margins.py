"""Range of the margin of a metric: the loss that the gate tolerates."""

from btlib.evaluation.catalogue import METRICS
from btlib.ranges import Range


def margins_of(metric: str) -> Range:
    """Return the range of a metric's margin, in its unit: above 0, and below the width of the metric's own range.

    Raises:
        UnknownNameError: There is no such metric.
    """
    low, high = METRICS[metric].range
    return Range(0, high - low, above=True, below=True)
