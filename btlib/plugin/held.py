"""The baseline that a tier is held against."""

from pathlib import Path

from btlib.baselines.held import NONE
from btlib.paths import find_baseline


def baseline_path(name: str, root: Path) -> Path:
    """A baseline by its name in `baselines/`, or by its path; "none" stands for no comparison."""
    if name == str(NONE):
        return NONE
    return find_baseline(name, root / "baselines")
