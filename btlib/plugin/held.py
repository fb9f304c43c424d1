"""The baseline that a tier is held against."""

from pathlib import Path

from btlib.baselines import Baseline
from btlib.errors import BaselineError


def baseline_path(name: str, root: Path) -> Path:
    """A baseline by its name in `baselines/`, or by its path."""
    return Path(name).absolute() if name.endswith(".json") else root / "baselines" / f"{name}.json"


def load_baseline(path: Path) -> Baseline | BaselineError:
    """The baseline, or why it cannot be had: cases are measured and recorded even then, and fail."""
    try:
        return Baseline.load(path)
    except BaselineError as error:
        return error
