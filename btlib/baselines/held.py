"""The baseline that a run is held against, or why it cannot be had."""

from pathlib import Path

from btlib.baselines.schema import Baseline
from btlib.errors import BaselineError


def load_baseline(path: Path) -> Baseline | BaselineError:
    """The baseline, or why it cannot be had: cases are measured and recorded even then, and fail."""
    try:
        return Baseline.load(path)
    except BaselineError as error:
        return error
