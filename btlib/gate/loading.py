"""Load the baseline that a run is compared with."""

from pathlib import Path

from btlib.errors import BaselineError
from btlib.gate.schema import Baseline

NONE = Path("none")
"""Value in place of a baseline file: measure without a comparison."""

_ASKED = "no comparison was asked for"


class NotComparedError(BaselineError):
    """Error in place of a baseline when the user asked for no comparison, or the task of the user's data has none."""

    @property
    def why(self) -> str:
        """Text for the header of a run."""
        return "no comparison, as requested" if self.problem == _ASKED else f"no comparison: {self.problem}"


def load_baseline(path: Path) -> Baseline | BaselineError:
    """Return the baseline, or the error why it cannot be loaded.

    Without a baseline, cases are still measured and recorded. They fail, unless the user asked for no comparison
    (`NONE`).
    """
    if path == NONE:
        return NotComparedError(_ASKED, where="--bt-baseline none")
    try:
        return Baseline.load(path)
    except BaselineError as error:
        return error
