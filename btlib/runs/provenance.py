"""Which code made the numbers: the file of a case, and the state of the git repository that it lies in."""

import subprocess
from pathlib import Path

from btlib import fingerprint
from btlib.baselines.figure import CaseCode
from btlib.cases import Case


def checkout(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the git checkout that a folder lies in, and whether tracked files differ from it.

    Baselines do not count as a difference: no number depends on them. Outside a checkout both are None.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!baselines")
    return (commit, bool(changes)) if commit and changes is not None else (None, None)


def code_of(case: Case) -> CaseCode | None:
    """The code of a case; None where it has no file, as in a notebook.

    A file that its repository ignores is outside it, such as an installed package in somebody's `.venv`.
    """
    if case.file is None:
        return None
    digest, folder = fingerprint.of_file(case.file), case.file.parent
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top or _git(folder, "check-ignore", "--quiet", case.file.name) is not None:
        return CaseCode(file=case.file.name, digest=digest)
    commit, dirty = checkout(Path(top))
    own = _git(folder, "status", "--porcelain", "--", case.file.name)  # an untracked file is listed too
    place = case.file.relative_to(Path(top).resolve()).as_posix()
    return CaseCode(file=place, digest=digest, commit=commit, dirty=bool(dirty) or own is None or bool(own))


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None where there is no git, or it ends with an error."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
