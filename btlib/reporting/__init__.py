"""Reports of a run: comparison and significance of its cases, as Markdown, CSV, JSON and figures."""

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
