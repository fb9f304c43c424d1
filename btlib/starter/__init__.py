"""Starter project that `btlib init` writes: a case, its test, pytest settings and a GitHub workflow."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from btlib.errors import OptionError
from btlib.files import write_text

if TYPE_CHECKING:
    from btlib.data.task import Task

NEW = {
    "mine.py": "mine.py",
    "tests/test_mine.py": "tests/test_mine.py",
    "benchmark.yml": ".github/workflows/benchmark.yml",
}
"""Files of the starter → paths in the project; none of these may exist."""

SHARED = {"pyproject.fragment.toml": "pyproject.toml", "gitignore": ".gitignore"}
"""Files of the starter that a project may already have → paths in the project; existing files are not changed."""


@dataclass(frozen=True)
class Started:
    """Files that were written.

    Attributes:
        written: Paths of the new files.
        to_add: Path of an existing file → lines that the user must add to it.
    """

    written: tuple[Path, ...]
    to_add: dict[Path, str]


def start(folder: Path, task: "Task | None" = None) -> Started:
    """Write the starter project into a folder. Existing files are not changed.

    Args:
        folder: Folder of the project; created if it does not exist.
        task: Task of the user's data: the case predicts masks only if it has structures, and classes only if it has
            classes. None: the case predicts both.

    Raises:
        OptionError: One of the files of `NEW` already exists; then no file is written.
    """
    existing = [place for place in NEW.values() if (folder / place).exists()]
    if existing:
        raise OptionError(
            f"{', '.join(existing)}: already exists; nothing was written",
            where=folder.absolute(),
            hint="choose another folder, or move these files away",
        )
    new = NEW | {name: place for name, place in SHARED.items() if not (folder / place).exists()}
    for name, place in new.items():
        write_text(folder / place, _text(name) if name != "mine.py" else _case(task))
    to_add = {folder / place: _text(name) for name, place in SHARED.items() if name not in new}
    return Started(tuple(folder / place for place in new.values()), to_add)


def _case(task: "Task | None") -> str:
    """Return the file of the case, which declares what it predicts on a task."""
    text = _text("mine.py")
    if task is not None and not task.structures:
        text = text.replace("has_mask=True", "has_mask=False")
    if task is not None and not task.classes:
        text = text.replace("has_classes=True", "has_classes=False")
    return text


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
