"""The project that `btlib init` writes: a case, its test, settings of pytest and a workflow."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from btlib.errors import OptionError
from btlib.files import write_text

NEW = {
    "mine.py": "mine.py",
    "tests/test_mine.py": "tests/test_mine.py",
    "benchmark.yml": ".github/workflows/benchmark.yml",
}
"""Files of the starter → where they go; none of them may be there."""

SHARED = {"pyproject.fragment.toml": "pyproject.toml", "gitignore": ".gitignore"}
"""Files of the starter that a project may have already → where they go; those that are there stay as they are."""


@dataclass(frozen=True)
class Started:
    """What was written.

    Attributes:
        written: The new files.
        to_add: File that was there already → the lines to add to it by hand.
    """

    written: tuple[Path, ...]
    to_add: dict[Path, str]


def start(folder: Path) -> Started:
    """Write the starter project into a folder; nothing that is there is changed.

    Args:
        folder: The project's; made where it is not there.

    Raises:
        OptionError: One of the files of `NEW` is there already; then none is written.
    """
    there = [place for place in NEW.values() if (folder / place).exists()]
    if there:
        raise OptionError(
            f"{', '.join(there)}: already there; nothing was written",
            where=folder.absolute(),
            hint="choose another folder, or move these files away",
        )
    new = NEW | {name: place for name, place in SHARED.items() if not (folder / place).exists()}
    for name, place in new.items():
        write_text(folder / place, _text(name))
    to_add = {folder / place: _text(name) for name, place in SHARED.items() if name not in new}
    return Started(tuple(folder / place for place in new.values()), to_add)


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
