"""Where files of a project lie: where pytest finds them, the user's own before the shipped ones."""

from pathlib import Path

import pytest

from btlib import Baseline
from btlib.errors import OptionError, UnknownNameError
from btlib.paths import (
    baselines_folder,
    checkpoints_folder,
    data_folder,
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


@pytest.mark.parametrize("files", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("where", [".", "sub/deep"])
def test_the_root_is_pytests_own(
    pytester: pytest.Pytester, tmp_path: Path, files: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path / where)
    assert project_root() == pytester.parseconfig("-p", "no:btlib").rootpath


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path):
    for name, content in (
        ("pyproject.toml", b"[tool"),
        ("pyproject.toml", b"\xff"),
        ("tox.ini", b"no section"),
        ("setup.cfg", b"\xff"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(OptionError, match="the pytest configuration cannot be read") as caught:
            project_root(tmp_path / "sub")
        assert caught.value.where == str(tmp_path)
        (tmp_path / name).unlink()


@pytest.mark.parametrize("text", ["[tox]\n[tox]\n[pytest]\n", "[tox]\nformat = %d\n[pytest]\n"])
def test_what_is_not_for_pytest_is_not_checked(text: str, tmp_path: Path):
    (tmp_path / "tox.ini").write_text(text)
    (tmp_path / "sub").mkdir()
    assert project_root(tmp_path / "sub") == tmp_path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, with the user in a folder below its root."""
    (tmp_path / "pytest.ini").write_text("")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    return tmp_path


def test_folders_are_the_projects_wherever_the_user_stands(project: Path, monkeypatch: pytest.MonkeyPatch):
    folders = {
        baselines_folder: "baselines",
        checkpoints_folder: "checkpoints",
        data_folder: "data_figshare",
        reports_folder: "reports",
    }
    assert {folder() for folder in folders} == {project / name for name in folders.values()}
    monkeypatch.chdir(project)
    for folder, name in folders.items():
        assert folder() == Path(name), "short where the user stands at the root"


def test_without_a_configuration_folders_are_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "setup.py").touch()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert reports_folder() == tmp_path / "reports"
    (tmp_path / "setup.py").unlink()
    assert reports_folder() == Path("reports")


def test_shipped_baselines_are_those_of_the_package_where_it_has_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "btlib"
    monkeypatch.setattr("btlib.paths._PACKAGE", package)
    assert shipped_baselines() == tmp_path / "baselines"
    (package / "suite" / "baselines").mkdir(parents=True)
    assert shipped_baselines() == package / "suite" / "baselines"


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
    (reports_folder() / "2026-01-02_030405.000001-smoke" / "records" / "A-seed43.json").write_text("{}")
    assert find_run("latest") == reports_folder() / "2026-01-02_030405.000002-full"
    assert find_run("2026-01-02_030405.000003-smoke") is None
    error = unknown_source("2026-01-02_030405.000003-smoke", baselines_folder())
    assert isinstance(error, UnknownNameError)
    assert "did you mean '2026-01-02_030405.000001-smoke'?" in str(error)
    assert "thesis" in str(error)


@pytest.mark.parametrize(
    ("kind", "offered"), [("run", {"r1"}), ("baseline", {"mine"}), ("run or baseline", {"r1", "mine"})]
)
def test_only_what_was_asked_for_is_offered(project: Path, kind: str, offered: set[str]):
    (project / "reports" / "r1" / "records").mkdir(parents=True)
    (project / "reports" / "r1" / "records" / "A-seed42.json").write_text("{}")
    (project / "baselines").mkdir()
    (project / "baselines" / "mine.json").write_text("{}")
    shipped = {path.stem for path in shipped_baselines().glob("*.json")} if "baseline" in kind else set()
    error = unknown_source("nothing like it", baselines_folder(), kind)
    assert error.problem == f"unknown {kind} 'nothing like it'"
    assert str(error.hint).endswith(f"known: {', '.join(sorted(offered | shipped))}")


def test_without_a_run_there_is_no_latest(project: Path):
    error = unknown_source("latest", baselines_folder())
    assert (error.problem, error.where) == ("there is no run yet", str(project / "reports"))
