"""`btlib init`: a project that passes as it is, and never overwrites anything."""

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cases import CASES, load_case, load_cases
from btlib.cli import app
from btlib.conformance import check_case
from btlib.data.sources.phantom.table import write_phantom_table
from btlib.data.task import Task
from btlib.starter import NEW, SHARED


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["init", *map(str, args)])
    return result.exit_code, result.output


def commands(output: str) -> list[str]:
    """The commands that are printed for the user to run next."""
    lines = output.partition("Next")[2].splitlines()[1:]
    return [line.partition("#")[0].strip() for line in lines if line.strip()]


def there(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.nightly  # by day the wheel's journey runs them
def test_the_commands_that_it_prints_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code, output = run()
    assert code == 0
    assert set(there(tmp_path)) == {*NEW.values(), *SHARED.values()}
    next_commands = commands(output)
    assert len(next_commands) == 3
    for command in next_commands:
        done = subprocess.run(
            f"export PATH={Path(sys.executable).parent}:$PATH PYTEST_ADDOPTS='-p no:randomly -W error'; {command}",
            shell=True,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "baselines" / "mine.json").is_file()
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())


@pytest.mark.parametrize("place", NEW.values())
def test_a_file_that_is_there_stops_it_and_nothing_is_written(place: str, tmp_path: Path):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("mine")
    code, output = run(tmp_path)
    assert code == 2
    assert place in output.replace("\n", "")
    assert there(tmp_path) == {place: "mine"}


def test_settings_that_are_there_stay_and_what_to_add_is_printed(tmp_path: Path):
    for place in SHARED.values():
        (tmp_path / place).write_text("mine")
    code, output = run(tmp_path)
    assert code == 0
    assert [(tmp_path / place).read_text() for place in SHARED.values()] == ["mine", "mine"]
    assert 'addopts = "--bt-baseline=none"' in output
    assert "pytest tests/test_mine.py --bt-baseline none" in commands(output)


TASKS = [
    Task(name="masks", structures=("a", "b"), channels=("x", "y"), synthetic=True),
    Task(name="labels", classes=("a", "no b", "c"), synthetic=True),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_case_predicts_what_the_data_have(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = dict(load_cases()._items)
    monkeypatch.chdir(tmp_path)
    write_phantom_table("my data", task, 12, size=32)
    code, output = run("project", "--data", "my data")
    assert code == 0
    assert commands(output)[1] == f"btlib run mine.py::mine --data {shlex.quote(str(tmp_path / 'my data'))}"
    try:
        case = load_case("project/mine.py::mine")
        results = check_case(case, Path("my data"), "cpu", image_size=32)
    finally:
        CASES._items.clear()
        CASES._items.update(known)
    assert (case.has_mask, case.has_classes) == (bool(task.structures), bool(task.classes))
    assert {result.outcome for result in results} <= {"pass", "skip"}


def test_data_that_cannot_be_read_write_no_project(tmp_path: Path):
    code, _ = run(tmp_path / "new", "--data", tmp_path / "gone")
    assert code != 0
    assert not (tmp_path / "new").exists()
