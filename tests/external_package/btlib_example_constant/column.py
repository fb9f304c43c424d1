"""A column of one's own: how many samples a case was tested on."""

from collections.abc import Sequence

from btlib.reporting.columns import COLUMNS, TableColumn
from btlib.runs import CaseRecord


def tested(records: Sequence[CaseRecord]) -> int:
    """The number of test samples, all folds of the first seed together."""
    seed = records[0].seed
    return sum(record.conditions.n_test for record in records if record.seed == seed)


COLUMNS.add("tested", TableColumn("tested", tested, unit="samples", form="d"))
