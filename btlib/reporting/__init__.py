"""What a reader sees: comparisons and significance of the cases of a run, as Markdown, CSV, JSON and pictures."""

from btlib.reporting.comparison import Comparison, Row, compare
from btlib.reporting.significance import PairTest, pair_tests
from btlib.reporting.write import table, write_comparison
from btlib.reporting.write_significance import write_significance

__all__ = [
    "Comparison",
    "PairTest",
    "Row",
    "compare",
    "pair_tests",
    "table",
    "write_comparison",
    "write_significance",
]
