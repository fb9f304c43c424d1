"""The page for users' own models: its programs run, and its tables are those of the code."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from btlib.cases import CASES, Work, load_case, load_cases
from btlib.conformance import check_case
from btlib.data.dataset import Samples

PAGE = (Path(__file__).parents[2] / "docs" / "bring-your-own-model.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CASE_FILES = [program for program in PROGRAMS if "@case(" in program]


@pytest.fixture(autouse=True)
def known_cases() -> Iterator[None]:
    known = dict(load_cases()._items)
    yield
    CASES._items.clear()
    CASES._items.update(known)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_runs_by_itself(program: str):
    exec(compile(program, "bring-your-own-model.md", "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize("program", CASE_FILES)
def test_each_case_keeps_its_promises(program: str, tmp_path: Path):
    (tmp_path / "mine.py").write_text(program, encoding="utf-8")
    results = check_case(load_case(f"{tmp_path}/mine.py::mine"), device="cpu")
    assert {result.outcome for result in results} == {"pass"}, results


def test_there_are_two_cases():
    assert len(CASE_FILES) == 2


def table_after(text: str) -> list[str]:
    """The names in the first column of the first table after a text."""
    rows = PAGE.partition(text)[2].partition("| field |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)


@pytest.mark.parametrize(("kind", "text"), [(Work, "`btlib.cases.Work`:"), (Samples, "`btlib.data.dataset.Samples`")])
def test_the_tables_name_exactly_the_fields(kind: type, text: str):
    names = [field.name for field in fields(kind)]
    assert table_after(text) == [name for name in names if not name.startswith("_")]
