"""Which code made the numbers: the file of a case, and the state of the git repository that it lies in."""

import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from btlib import fingerprint
from btlib.cases import Case
from btlib.cases.load import MODULE


class CaseCode(BaseModel):
    """The code that a case came from.

    Attributes:
        file: Path of its file within its git repository; outside one, the file's name.
        digest: SHA-256 of that file, 64 hex digits.
        commit: Of the repository; None outside one.
        dirty: Whether that file is not committed as it is, or other tracked files of the repository have changed; None
            outside a repository.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    file: str
    digest: str
    commit: str | None = None
    dirty: bool | None = None


def checkout(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the git checkout that a folder lies in, and whether tracked files differ from it.

    Baselines do not count as a difference: no number depends on them. Outside a checkout both are None.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!baselines")
    return (commit, bool(changes)) if commit and changes is not None else (None, None)


def code_of(case: Case) -> CaseCode | None:
    """The code of a case; None where it has no file, as in a notebook. An installed package is in no repository."""
    file = case.file
    if file is None:
        return None
    digest, top = fingerprint.of_file(file), _top(file)
    if top is None:
        return CaseCode(file=file.name, digest=digest)
    place = file.relative_to(top).as_posix()
    commit, changed = checkout(top)
    stored, here = _git(top, "rev-parse", f"HEAD:{place}"), _git(top, "hash-object", f"--path={place}", str(file))
    dirty = changed is not False or here is None or here != stored or _is_edited(case) or bool(_untracked(top))
    return CaseCode(file=place, digest=digest, commit=commit, dirty=dirty)


def _top(file: Path) -> Path | None:
    """Folder of the repository that a file is in, whether or not git can tell; None outside one."""
    if {"site-packages", "dist-packages"} & {*file.parts}:
        return None
    return next((folder for folder in file.parents if (folder / ".git").exists()), None)


def _is_edited(case: Case) -> bool:
    """Whether the file is no longer what was imported, as far as that is known."""
    _, ours, imported = case.module.partition(MODULE)
    return bool(ours) and case.file is not None and fingerprint.of_sources([case.file]) != imported


def _untracked(top: Path) -> set[Path]:
    """Files of the repository that were imported and are not committed; tests are no part of a case."""
    listed = _git(top, "ls-files", "--others", "--exclude-standard", "--", "*.py") or ""
    untracked = {top / line for line in listed.splitlines()}
    untracked -= {path for path in untracked if path.name.startswith("test_") or path.name == "conftest.py"}
    if not untracked:  # there are thousands of modules to look at
        return set()
    places = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return untracked & {Path(place).resolve() for place in places if place}


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None where there is no git, or it ends with an error."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
