"""Columns that other packages add to the tables of cases, by an entry point in the group `btlib.columns`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from btlib.registry import Registry
from btlib.runs.record import CaseRecord

Value = float | str | None


@dataclass(frozen=True)
class TableColumn:
    """One column of the terminal's table, of Markdown, CSV, JSON and the HTML page.

    Attributes:
        title: Its heading.
        of: From the records of a case, one a cell, to a number or a text; None where the case has none.
        unit: Beside the heading; "" for none.
        form: How numbers are written.
    """

    title: str
    of: Callable[[Sequence[CaseRecord]], Value]
    unit: str = ""
    form: str = ".4g"

    def text(self, value: Value) -> str:
        """A value as tables show it."""
        if value is None:
            return "–"
        return value if isinstance(value, str) else format(value, self.form)


COLUMNS: Registry[TableColumn] = Registry("column", "btlib.columns")


def own_values(records: Sequence[CaseRecord]) -> tuple[dict[str, Value], list[str]]:
    """The value of each column by its name, and why a column has none where it failed."""
    found: dict[str, Value] = {}
    failures = []
    for name in COLUMNS:
        try:
            value = COLUMNS[name].of(records)
            COLUMNS[name].text(value)
        except Exception as error:  # foreign code: what it raises is its own failure
            value = None
            failures.append(f"column {name}: {type(error).__name__}: {error}")
        found[name] = value
    return found, failures
