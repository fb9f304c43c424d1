"""What a page shows: the cases of one run, or of several side by side, each under a label of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from btlib.errors import BaselineError
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.comparison import Row, result_of
from btlib.reporting.html.views import View
from btlib.results import CaseResult, SeedRun
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.speed import Speed


@dataclass(frozen=True, eq=False)
class Entry:
    """One case of one run.

    Attributes:
        label: Its name; with the run's beside it where there are several runs.
        view: The run.
        row: As in the comparison.
        result: What was measured, under the label.
        records: One a seed.
        speed: What was timed; None where nothing was.
        before: Numbers to hold single slices against: the first run's, else the baseline's; empty where there are none.
        before_name: Whose they are.
    """

    label: str
    view: View
    row: Row
    result: CaseResult
    records: tuple[CaseRecord, ...]
    speed: Speed | None
    before: tuple[SeedRun, ...] = ()
    before_name: str = ""

    def has(self, metric: str) -> bool:
        """Whether it has numbers of a metric."""
        return bool(self.result.runs) and METRICS[metric].available(self.result.slices)

    @cached_property
    def safe(self) -> str:
        """The label as a part of an anchor: letters, digits and "-", one for each label."""
        return "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in self.label)


def entries(views: Sequence[View]) -> list[Entry]:
    """All cases of all runs; a case of a later run stands beside the first run's."""
    labels = _labels(views)
    found = [entry for v, label in zip(views, labels, strict=True) for entry in _entries(v, label)]
    if len(views) == 1:
        return found
    first = {e.row.case: e for e in found if e.view is views[0]}
    held = [e if e.view is views[0] else _held(e, first.get(e.row.case), labels[0]) for e in found]
    order = list(dict.fromkeys(e.row.case for e in held))
    return sorted(held, key=lambda e: order.index(e.row.case))


def _labels(views: Sequence[View]) -> list[str]:
    """Names of folders; numbered where two are the same, and none where there is one run."""
    if len(views) == 1:
        return [""]
    names = [v.label for v in views]
    return [name if names.count(name) == 1 else f"{name} [{i}]" for i, name in enumerate(names, 1)]


def _entries(v: View, label: str) -> list[Entry]:
    rows = {row.case: row for row in v.comparison.rows}
    return [
        _entry(v, rows[case], [r for r in v.records if r.case == case], v.speeds.get(case), label)
        for case in sorted(rows, key=lambda case: _order(v.info, case))
    ]


def _order(info: RunInfo, case: str) -> tuple[int, str]:
    return (info.cases.index(case) if case in info.cases else len(info.cases), case)


def _entry(v: View, row: Row, records: list[CaseRecord], speed: Speed | None, run: str) -> Entry:
    label = f"{row.case} · {run}" if run else row.case
    known = {} if isinstance(v.baseline, BaselineError) else v.baseline.cases
    before = tuple(known[row.case].runs) if row.case in known else ()
    name = f"baseline {v.baseline.name}" if not isinstance(v.baseline, BaselineError) and before else ""
    return Entry(label, v, row, replace(result_of(records), case=label), tuple(records), speed, before, name)


def _held(entry: Entry, first: Entry | None, run: str) -> Entry:
    if first is None or not first.result.runs:
        return entry
    return replace(entry, before=first.result.runs, before_name=run)
