"""The page on any numbers: its files are written and its commands run, in order, and print what it says."""

import fnmatch
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "any-numbers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", PAGE, re.DOTALL)


def commands(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each command of a block, and the lines below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield shlex.split(command), lines


def test_every_command_prints_what_the_page_says(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
):
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider")
    monkeypatch.setenv("COLUMNS", "200")

    def execute(program: str, *args: str) -> tuple[str, int]:
        if program == "python":
            exec(compile(Path(args[0]).read_text(), args[0], "exec"), {"__name__": "program"})
            return "", 0
        if program == "pytest":
            done = run(*args)
            return "\n".join(done.outlines), int(done.ret)
        result = CliRunner().invoke(app, list(args))
        return result.output, result.exit_code

    ran = 0
    for kind, text in BLOCKS:
        if kind == "python":
            name = text.splitlines()[0].removeprefix("# ")
            (pytester.path / name).write_text(text, encoding="utf-8")
            continue
        for command, expected in commands(text):
            output, code = execute(*command)
            found = iter([" ".join(line.split()) for line in [*output.splitlines(), f"exit code {code}"]])
            for line in expected:
                pattern = " ".join(line.split()).replace("[", "[[]").replace("…", "*")
                assert any(fnmatch.fnmatchcase(one, pattern) for one in found), f"{command}: {line}\n{output}"
            ran += 1
    assert ran == 6


def test_the_page_is_short():
    assert len(PAGE.splitlines()) <= 100
