"""The baseline that a tier is held against."""

from pathlib import Path


def baseline_path(name: str, root: Path) -> Path:
    """A baseline by its name in `baselines/`, or by its path."""
    return Path(name).absolute() if name.endswith(".json") else root / "baselines" / f"{name}.json"
