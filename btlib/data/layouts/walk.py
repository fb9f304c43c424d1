"""Files of a folder, and the facts that their paths show."""

import os
import re
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from btlib.data.faults import joined
from btlib.data.sources.table.image_files import Kind, kind_of
from btlib.errors import DataError, OptionError
from btlib.natural_order import natural

PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Name of a folder in lower case → part of the split."""

_IGNORED = {"__macosx", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini", "dicomdir"}


def files_of(folder: Path, kinds: Collection[Kind]) -> list[str]:
    """Return the files of some types below a folder, as relative paths with "/", in natural order.

    Hidden files, files of operating systems, and folders that are links are left out.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", where=folder, hint="name the folder of the data, unpacked")
    found = []
    for home, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_ignored(name))
        below = Path(home).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        found += [prefix + name for name in names if not _is_ignored(name) and kind_of(name) in kinds]
    return sorted(found, key=natural)


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED


def stem(name: str) -> str:
    """Return the name of a file without its folder and suffix; `.nii.gz` is one suffix."""
    base = PurePosixPath(name).name
    return base[:-7] if base.lower().endswith(".nii.gz") else PurePosixPath(base).stem


def common_folders(names: Sequence[str]) -> int:
    """Return how many leading folders all paths have in common."""
    paths = [PurePosixPath(name).parts[:-1] for name in names]
    pairs = zip(min(paths, default=()), max(paths, default=()), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def fact_of(rule: str | None, what: str) -> Callable[[str], str | None]:
    """Return the function that finds a fact, such as the patient, in the path of a file.

    Args:
        rule: "folder" (name of the file's folder), "file" (its name without suffix), a regular expression for the path
            whose first group is the fact, or None for no fact.
        what: Name of the option, for messages.

    Raises:
        OptionError: The regular expression is invalid.
    """
    if rule is None:
        return lambda name: ""
    if rule == "folder":
        return lambda name: PurePosixPath(name).parent.name or None
    if rule == "file":
        return stem
    try:
        pattern = re.compile(rule)
    except re.error as error:
        problem = f"expected folder, file or a regular expression, got {rule!r}: {error}"
        raise OptionError(problem, where=f"--{what}", hint=r"for example: --patient 'sub-(\d+)'") from error

    def search(name: str) -> str | None:
        match = pattern.search(name)
        return (match[1] if pattern.groups else match[0]) or None if match else None

    return search


def facts_of(names: Sequence[str], rule: str | None, what: str, folder: Path) -> list[str]:
    """Return a fact of each file (see `fact_of`); "" for every file if there is no rule.

    Raises:
        DataError: The fact is not found in the paths of some files.
        OptionError: The rule is invalid.
    """
    find = fact_of(rule, what)
    found = [find(name) for name in names]
    missing = [name for name, fact in zip(names, found, strict=True) if fact is None]
    if missing:
        faults = [DataError(f"{name}: no {what} is found by {rule!r}", where=folder) for name in missing]
        raise joined(faults, folder, f"change --{what}, so that it fits all paths", what="faults")
    return [fact or "" for fact in found]
