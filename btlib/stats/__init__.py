"""Statistics of comparisons: arrays in, numbers out."""

from btlib.stats.paired import PairedDifference, paired
from btlib.stats.unpaired import Interval, unpaired_mean_difference

__all__ = ["Interval", "PairedDifference", "paired", "unpaired_mean_difference"]
