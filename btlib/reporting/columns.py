"""Columns that other packages add to the tables of cases, by an entry point in the group `btlib.columns`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from btlib.registry import Registry
from btlib.runs.record import CaseRecord

Value = float | str | None


@dataclass(frozen=True)
class TableColumn:
    """One column of the terminal table, the Markdown, CSV and JSON files, and the HTML page.

    Attributes:
        title: Column heading.
        of: Function from the records of a case (one per cell) to a number or a text; None if the case has no value.
        unit: Unit, shown after the heading; "" for no unit.
        form: Format specification of numbers.
    """

    title: str
    of: Callable[[Sequence[CaseRecord]], Value]
    unit: str = ""
    form: str = ".4g"

    def text(self, value: Value) -> str:
        """Return a value as the tables show it."""
        if value is None:
            return "–"
        return value if isinstance(value, str) else format(value, self.form)


COLUMNS: Registry[TableColumn] = Registry("column", "btlib.columns")


def own_values(records: Sequence[CaseRecord]) -> tuple[dict[str, Value], list[str]]:
    """Return the value of each column by column name, and a message for each column that failed."""
    found: dict[str, Value] = {}
    failures = []
    for name in COLUMNS:
        try:
            value = COLUMNS[name].of(records)
            COLUMNS[name].text(value)
        except Exception as error:  # third-party code may raise any exception
            value = None
            failures.append(f"column {name}: {type(error).__name__}: {error}")
        found[name] = value
    return found, failures
