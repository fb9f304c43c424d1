"""Provenance of the code: the file of a case, and the state of its git repository."""

import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from btlib import fingerprint
from btlib.cases import Case
from btlib.cases.load import MODULE


class CaseCode(BaseModel):
    """Code of a case.

    Attributes:
        file: Path of the case's file in its git repository; outside a repository, the name of the file.
        digest: SHA-256 of the file's bytes, 64 hex digits.
        commit: Commit of the repository; None outside a repository.
        dirty: Whether the code differs from the commit: the file is changed, uncommitted or edited after its import,
            tracked files have changed, or uncommitted modules were imported. None outside a repository.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    file: str
    digest: str
    commit: str | None = None
    dirty: bool | None = None


def checkout(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit of a folder's git checkout, and whether tracked files differ from it.

    Changed baselines are ignored, because no measured number depends on them. Outside a checkout both are None.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!baselines")
    return (commit, bool(changes)) if commit and changes is not None else (None, None)


def code_of(case: Case) -> CaseCode | None:
    """Return the code of a case; None without a file, as in a notebook. Installed packages count as no repository."""
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
    """Return the folder of a file's git repository, found without running git; None outside a repository."""
    if {"site-packages", "dist-packages"} & {*file.parts}:
        return None
    return next((folder for folder in file.parents if (folder / ".git").exists()), None)


def _is_edited(case: Case) -> bool:
    """Whether the file was edited after it was imported, if this is known."""
    _, ours, imported = case.module.partition(MODULE)
    return bool(ours) and case.file is not None and fingerprint.of_sources([case.file]) != imported


def _untracked(top: Path) -> set[Path]:
    """Return the imported files of the repository that are not committed, except test files."""
    listed = _git(top, "ls-files", "--others", "--exclude-standard", "--", "*.py") or ""
    untracked = {top / line for line in listed.splitlines()}
    untracked -= {path for path in untracked if path.name.startswith("test_") or path.name == "conftest.py"}
    if not untracked:  # skips the loop over thousands of modules
        return set()
    places = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return untracked & {Path(place).resolve() for place in places if place}


def _git(folder: Path, *words: str) -> str | None:
    """Return the output of a git command; None if git is missing, fails or takes more than 30 s."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
