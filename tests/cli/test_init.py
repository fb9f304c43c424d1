"""`btlib init`: a project that passes as it is, and never overwrites anything."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app
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
