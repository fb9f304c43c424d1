"""Range of the margin of a metric: the loss that the gate tolerates."""

from btlib.evaluation.catalogue import Metric
from btlib.ranges import Range


def margins_of(metric: Metric) -> Range:
    """Return the range of a metric's margin, in its unit: above 0, and below the width of the metric's own range."""
    low, high = metric.range
    return Range(0, high - low, above=True, below=True)
