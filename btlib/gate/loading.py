"""Load the baseline that a run is compared with."""

from pathlib import Path

from btlib.errors import BaselineError
from btlib.gate.schema import Baseline

NONE = Path("none")
"""Value in place of a baseline file: measure without a comparison."""


class NotComparedError(BaselineError):
    """Error in place of a baseline when the user asked for no comparison."""


class NoBaselineError(NotComparedError):
    """Error in place of a baseline when the task of the user's data has none, and no baseline was named."""


def load_baseline(path: Path) -> Baseline | BaselineError:
    """Return the baseline, or the error why it cannot be loaded.

    Without a baseline, cases are still measured and recorded. They fail, unless the user asked for no comparison
    (`NONE`).
    """
    if path == NONE:
        return NotComparedError("no comparison was asked for", where="--bt-baseline none")
    try:
        return Baseline.load(path)
    except BaselineError as error:
        return error
