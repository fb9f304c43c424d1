"""The baseline that a run is compared with, or why it cannot be had."""

from pathlib import Path

from btlib.errors import BaselineError
from btlib.gate.schema import Baseline

NONE = Path("none")
"""In place of a baseline's file: measure, and compare with nothing."""


class NotComparedError(BaselineError):
    """The user asked for no comparison."""


def load_baseline(path: Path) -> Baseline | BaselineError:
    """The baseline, or why it cannot be had: cases are measured and recorded even then.

    They fail then, unless the user asked for no comparison (`NONE`).
    """
    if path == NONE:
        return NotComparedError("no comparison was asked for", where="--bt-baseline none")
    try:
        return Baseline.load(path)
    except BaselineError as error:
        return error
