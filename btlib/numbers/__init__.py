"""Scores that the user computes: numbers of samples, from a file or from arrays, that the gate judges like a metric."""

from btlib.numbers.arrays import from_arrays
from btlib.numbers.files import is_scores_file, read_scores
from btlib.numbers.sample_scores import SampleScores, as_conditions, as_result, as_runs, define

__all__ = [
    "SampleScores",
    "as_conditions",
    "as_result",
    "as_runs",
    "define",
    "from_arrays",
    "is_scores_file",
    "read_scores",
]
