"""What a page shows: the cases of one run, or of several side by side, each under a label of its own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from btlib.errors import BaselineError
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Verdict
from btlib.gate.ranking import Ranking
from btlib.reporting.comparison import Row
from btlib.reporting.html.views import View
from btlib.reporting.names import numbered, visible
from btlib.results import CaseResult, SeedRun
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import missing_cells, result_of
from btlib.runs.speed import Speed

_LONGEST = 64  # letters of a label in an anchor or the name of a file


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
        before: To compare single samples with: the first run's, else the baseline's; empty where there are none.
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
        return bool(self.result.runs) and METRICS[metric].available(self.result.samples)

    @property
    def rankings(self) -> tuple[Ranking, ...]:
        """Where it stands beside the baseline's cases, if the baseline does not know it."""
        return tuple(one for one in self.view.comparison.rankings if one.case == self.row.case)

    @property
    def compared(self) -> Sequence[Verdict | Ranking]:
        """Its differences: to its own numbers in the baseline, or, of a new case, to each of the baseline's cases."""
        return self.rankings or self.row.verdicts

    @cached_property
    def safe(self) -> str:
        """The label as a part of an anchor or a file's name: letters, digits and "-", one for each label."""
        return anchor_of(self.label)


def anchor_of(name: str) -> str:
    """A name as a part of an anchor or a file's name: letters, digits and "-", one for each name."""
    text = "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, eq=False)
class Reference:
    """A case of a baseline that a new case stands beside. It was not measured in the run.

    Attributes:
        label: Its name.
        row: As in the comparison.
        baseline: Name of the baseline.
    """

    label: str
    row: Row
    baseline: str


def entries(views: Sequence[View]) -> list[Entry]:
    """All cases of all runs; a case of a later run stands beside the first run's."""
    found = [entry for v in views for entry in _entries(v, v.label if len(views) > 1 else "")]
    if len(views) == 1:
        return found
    first = {e.row.case: e for e in found if e.view is views[0]}
    held = [e if e.view is views[0] else _held(e, first.get(e.row.case), views[0].label) for e in found]
    order = list(dict.fromkeys(e.row.case for e in held))
    return sorted(held, key=lambda e: order.index(e.row.case))


def references(views: Sequence[View]) -> list[Reference]:
    """The baselines' cases that new ones stand beside, each once."""
    found = {
        (v.baseline.name, row.case): row
        for v in views
        if not isinstance(v.baseline, BaselineError)
        for row in v.comparison.references
    }
    return [Reference(visible(case), row, visible(baseline)) for (baseline, case), row in found.items()]


def _entries(v: View, run: str) -> list[Entry]:
    rows = sorted(v.comparison.rows, key=lambda row: _order(v.info, row.case))
    names = numbered([visible(row.case) for row in rows])
    return [
        _entry(v, row, [r for r in v.records if r.case == row.case], f"{name} · {run}" if run else name)
        for row, name in zip(rows, names, strict=True)
    ]


def _order(info: RunInfo, case: str) -> tuple[int, str]:
    return (info.cases.index(case) if case in info.cases else len(info.cases), case)


def _entry(v: View, row: Row, records: list[CaseRecord], label: str) -> Entry:
    known = {} if isinstance(v.baseline, BaselineError) else v.baseline.cases
    before = tuple(known[row.case].runs) if row.case in known else ()
    name = f"baseline {visible(v.baseline.name)}" if not isinstance(v.baseline, BaselineError) and before else ""
    result = replace(result_of(records, missing_cells(v.info, records)), case=label)
    return Entry(label, v, row, result, tuple(records), v.speeds.get(row.case), before, name)


def _held(entry: Entry, first: Entry | None, run: str) -> Entry:
    if first is None or not first.result.runs:
        return entry
    return replace(entry, before=first.result.runs, before_name=run)
