"""Paths of the user's files, relative to the user's project, never to the installation folder of btlib.

The project's root is pytest's `rootdir`, so that the command line and the plugin find the same files.
"""

import configparser
import tomllib
from datetime import datetime
from pathlib import Path

from btlib.errors import OptionError, UnknownNameError
from btlib.registry import unknown_name

LATEST = "latest"
"""Name that refers to the newest run."""

_PACKAGE = Path(__file__).parent


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder upwards with a pytest configuration file; without one, the start folder.

    Folders with a `pyproject.toml` or `setup.py` come next, in this order.

    Args:
        start: Folder in which the search starts; by default the working directory.
    """
    here = (start or Path.cwd()).absolute()
    upwards = (here, *here.parents)
    tests = (_configures_pytest, lambda folder: (folder / "pyproject.toml").is_file(), _has_setup)
    return next((folder for test in tests for folder in upwards if test(folder)), here)


def baselines_folder() -> Path:
    """Folder of the user's baselines."""
    return _of_project("baselines")


def checkpoints_folder() -> Path:
    """Folder of the user's trained models."""
    return _of_project("checkpoints")


def data_folder() -> Path:
    """Folder whose `data/` contains the user's samples."""
    return _of_project("data_figshare")


def reports_folder() -> Path:
    """Folder that contains the folders of the user's runs."""
    return _of_project("reports")


def shipped_baselines() -> Path:
    """Folder of the baselines that are part of btlib; in a checkout, the one at its top level."""
    packaged = _PACKAGE / "suite" / "baselines"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "baselines"


def find_baseline(name: str, folder: Path) -> Path:
    """Find the file of a baseline.

    Args:
        name: Path of a `.json` file, or the name of a baseline; the user's baselines come before those of btlib.
        folder: Folder of the user's baselines.

    Returns:
        The path of the file; if there is none, the path in the user's folder.
    """
    if name.endswith(".json") and (Path(name).is_file() or Path(name).name != name):
        return Path(name).absolute()
    stem = name.removesuffix(".json")
    own, shipped = folder / f"{stem}.json", shipped_baselines() / f"{stem}.json"
    return shipped if shipped.is_file() and not own.is_file() else own


def new_stamp() -> str:
    """Return a name for the folder of a run: the time in microseconds, so that two runs do not use one folder."""
    return f"{datetime.now():%Y-%m-%d_%H%M%S.%f}"


def find_run(name: str) -> Path | None:
    """Find the folder of a run by its path or by its name in `reports/` ("latest" is the newest); None if missing."""
    if Path(name).is_dir():
        return Path(name)
    runs = _runs()
    if name == LATEST:
        return runs[-1] if runs else None
    return next((path for path in runs if path.name == name), None)


def unknown_source(name: str, folder: Path, kind: str = "run or baseline") -> UnknownNameError:
    """Return the error for a name that is neither a run nor a baseline; its hint names the most similar one.

    Args:
        name: Name given by the user.
        folder: Folder of the user's baselines.
        kind: Expected kind: "run", "baseline" or "run or baseline".
    """
    runs = [path.name for path in _runs()] if "run" in kind else []
    if name == LATEST:
        return UnknownNameError("there is no run yet", where=reports_folder(), hint="measure a case with pytest first")
    files = [*folder.glob("*.json"), *shipped_baselines().glob("*.json")] if "baseline" in kind else []
    return unknown_name(kind, name, {*runs, *(path.stem for path in files)})


def _runs() -> list[Path]:
    """Folders of runs with at least one record, the newest last: the names begin with the time."""
    return sorted({path.parents[1] for path in reports_folder().glob("*/records/*.json")})


def _of_project(name: str) -> Path:
    root = project_root()
    return Path(name) if root == Path.cwd() else root / name


def _has_setup(folder: Path) -> bool:
    return (folder / "setup.py").is_file()


def _configures_pytest(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")):
        return True
    try:
        pyproject = folder / "pyproject.toml"
        if pyproject.is_file() and "pytest" in tomllib.loads(pyproject.read_text(encoding="utf-8")).get("tool", {}):
            return True
        return any(_has_section(folder / name, section) for name, section in _SECTIONS.items())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, configparser.Error) as error:
        raise OptionError(f"the pytest configuration cannot be read: {error}", where=folder) from error


_SECTIONS = {"tox.ini": "pytest", "setup.cfg": "tool:pytest"}


def _has_section(path: Path, section: str) -> bool:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(path, encoding="utf-8")
    return parser.has_section(section)
