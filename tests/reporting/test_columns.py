"""Columns of other packages: shown, and a failure of theirs costs nothing but their value."""

from collections.abc import Sequence

import pytest

from btlib.reporting.columns import COLUMNS, TableColumn, own_values
from btlib.runs import CaseRecord


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(records: Sequence[CaseRecord]) -> float:
        raise KeyError("no such detail")

    monkeypatch.setattr(COLUMNS, "_items", {})
    COLUMNS.add("share", TableColumn("share", lambda records: 0.25, form=".0%"))
    COLUMNS.add("word", TableColumn("word", lambda records: "yes"))
    COLUMNS.add("nothing", TableColumn("nothing", lambda records: None))
    COLUMNS.add("fails", TableColumn("fails", fails))
    COLUMNS.add("no number", TableColumn("no number", lambda records: [1, 2]))  # type: ignore[arg-type, return-value]


@pytest.mark.usefixtures("columns")
def test_a_value_for_each_column_and_why_there_is_none() -> None:
    found, failures = own_values([])
    assert found == {"share": 0.25, "word": "yes", "nothing": None, "fails": None, "no number": None}
    assert [line.split(":")[0] for line in failures] == ["column fails", "column no number"]
    assert "KeyError: 'no such detail'" in failures[0]
    texts = {name: COLUMNS[name].text(value) for name, value in found.items()}
    assert texts == {"share": "25%", "word": "yes", "nothing": "–", "fails": "–", "no number": "–"}
