"""The page on tasks and sources: its programs run and print what they say, and its table is that of the code."""

import re
from pathlib import Path

import pytest

from btlib.data.task import Task

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_prints_what_it_says(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(program, "tasks.md", "exec"), {"__name__": "snippet"})
    (said,) = re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert capsys.readouterr().out == f"{said}\n"


def test_the_table_names_the_fields_of_a_task() -> None:
    rows = PAGE.partition("| field of a task |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`(?=[^|]*\|)", "\n".join(row.split("|")[1] + "|" for row in rows.splitlines()[2:]))
    assert named == list(Task.model_fields)
