"""Where files of a project lie: where pytest finds them, the user's own before the shipped ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.errors import OptionError, UnknownNameError
from btlib.paths import (
    baselines_folder,
    find_baseline,
    find_run,
    project_root,
    reports_folder,
    shipped_baselines,
    unknown_source,
)

CONFIGURATIONS = {
    "nothing": {},
    "an empty pytest.ini": {"pytest.ini": ""},
    "a hidden pytest.ini": {".pytest.ini": "[pytest]\n"},
    "pyproject for pytest": {"pyproject.toml": "[tool.pytest.ini_options]\n"},
    "pyproject for others": {"pyproject.toml": "[project]\nname = 'x'\n"},
    "tox for pytest": {"tox.ini": "[pytest]\n"},
    "tox for tox": {"tox.ini": "[tox]\n"},
    "setup.cfg for pytest": {"setup.cfg": "[tool:pytest]\n"},
    "setup.cfg for others": {"setup.cfg": "[metadata]\n"},
    "setup.py": {"setup.py": ""},
    "a nearer file for others": {"pytest.ini": "", "sub/pyproject.toml": "[project]\nname = 'x'\n"},
    "a nearer file for pytest": {"pyproject.toml": "[tool.pytest.ini_options]\n", "sub/tox.ini": "[pytest]\n"},
    "pyproject and setup.py": {"setup.py": "", "sub/pyproject.toml": "[project]\nname = 'x'\n"},
}

ROOT = "import pytest\ndef pytest_configure(config): raise pytest.UsageError(f'root={config.rootpath}')\n"


@pytest.mark.parametrize("files", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("where", [".", "sub/deep"])
def test_the_root_is_pytests_own(tmp_path: Path, files: dict[str, str], where: str):
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "plugin_of_root.py").write_text(ROOT)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    here = (tmp_path / where).resolve()
    command = [sys.executable, "-c", "import pytest; pytest.main(['-p', 'plugin_of_root', '-p', 'no:btlib'])"]
    environment = {"PYTHONPATH": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    told = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False).stderr
    assert f"root={project_root(here)}\n" in told.replace("ERROR: ", "")


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(OptionError, match="configuration of pytest cannot be read"):
        project_root(tmp_path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, with the user in a folder below its root."""
    (tmp_path / "pytest.ini").write_text("")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    return tmp_path


def test_folders_are_the_projects_wherever_the_user_stands(project: Path, monkeypatch: pytest.MonkeyPatch):
    assert baselines_folder() == project / "baselines"
    monkeypatch.chdir(project)
    assert baselines_folder() == Path("baselines"), "short where the user stands at the root"


def test_the_users_own_baselines_come_first(project: Path):
    own = project / "baselines"
    assert find_baseline("smoke", own) == find_baseline("smoke.json", own) == shipped_baselines() / "smoke.json"
    Baseline.load(shipped_baselines() / "smoke.json").save(own / "smoke.json")
    assert find_baseline("smoke", own) == own / "smoke.json"
    assert find_baseline("mine", own) == own / "mine.json", "where it would be"
    (project / "sub" / "smoke.json").write_text("{}")
    assert find_baseline("smoke.json", own) == project / "sub" / "smoke.json", "a file that is there is no name"
    assert find_baseline("../other/smoke.json", own) == Path("../other/smoke.json").absolute()


def test_runs_are_found_by_name(project: Path):
    assert find_run("latest") is None
    for name in ("2026-01-02_030405.000001-smoke", "2026-01-02_030405.000002-full", "unfinished"):
        (reports_folder() / name).mkdir(parents=True)
        if name != "unfinished":
            (reports_folder() / name / "records").mkdir()
            (reports_folder() / name / "records" / "A-seed42.json").write_text("{}")
    assert find_run("latest") == reports_folder() / "2026-01-02_030405.000002-full"
    assert find_run("2026-01-02_030405.000001-smoke") == reports_folder() / "2026-01-02_030405.000001-smoke"
    assert find_run("unfinished") is None
    assert find_run(str(reports_folder() / "unfinished")) == reports_folder() / "unfinished", "a path is a path"
    error = unknown_source("2026-01-02_030405.000003-smoke", baselines_folder())
    assert isinstance(error, UnknownNameError)
    assert "did you mean '2026-01-02_030405.000001-smoke'?" in str(error)
    assert "thesis" in str(error)
    assert "thesis" not in str(unknown_source("x", baselines_folder(), "run"))
