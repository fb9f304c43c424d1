"""What a reader sees: comparisons of the cases of a run as Markdown, CSV and JSON."""

from btlib.reporting.comparison import Comparison, Row, compare
from btlib.reporting.write import table, write_comparison

__all__ = ["Comparison", "Row", "compare", "table", "write_comparison"]
