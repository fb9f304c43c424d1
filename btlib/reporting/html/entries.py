"""Cases of a page: those of one run, or of several runs side by side, each with a unique label."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from btlib.errors import BaselineError
from btlib.evaluation.catalogue import METRICS, Metrics
from btlib.gate import Verdict
from btlib.gate.ranking import Ranking
from btlib.reporting.comparison import Row
from btlib.reporting.html.views import View
from btlib.reporting.names import numbered, visible
from btlib.results import CaseResult, SeedRun
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import missing_cells, result_of
from btlib.runs.speed import Speed

_LONGEST = 64  # characters of a label in an anchor or a file name


@dataclass(frozen=True, eq=False)
class Entry:
    """One case of one run.

    Attributes:
        label: Name of the case; followed by the name of the run if there are several runs.
        view: Run of the case.
        row: Row of the case in the comparison.
        result: Result of the measurement, with the label as its case name.
        records: Records of the case, one per seed and fold.
        speed: Timings; None if speed was not measured.
        before: Results for the comparison of single samples: the first run's, else the baseline's; empty without any.
        before_name: Name of the run or baseline of `before`.
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
        """Whether the case has values of a metric."""
        known = self.result.definitions
        return bool(self.result.runs) and metric in known and known[metric].available(self.result.samples)

    @property
    def rankings(self) -> tuple[Ranking, ...]:
        """Comparisons with the baseline's cases, if the case is not in the baseline."""
        return tuple(one for one in self.view.comparison.rankings if one.case == self.row.case)

    @property
    def compared(self) -> Sequence[Verdict | Ranking]:
        """Differences from the case's own baseline, or, for a new case, from each of the baseline's cases."""
        return self.rankings or self.row.verdicts

    @cached_property
    def safe(self) -> str:
        """Label as part of an anchor or file name: letters, digits and "-", unique for each label."""
        return anchor_of(self.label)


def anchor_of(name: str) -> str:
    """Return a name as part of an anchor or file name: letters, digits and "-", unique for each name."""
    text = "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, eq=False)
class Reference:
    """Case of a baseline that a new case is compared with; it was not measured in the run.

    Attributes:
        label: Name of the case.
        row: Row of the case in the comparison.
        baseline: Name of the baseline.
    """

    label: str
    row: Row
    baseline: str


def known_to(entries: Sequence[Entry]) -> Metrics:
    """Return the registered metrics and the scores of these cases; of two definitions, the first one counts."""
    tasks = [entry.result.conditions.task for entry in entries]
    return METRICS.with_scores({score.name: score for task in reversed(tasks) for score in task.scores}.values())


def entries(views: Sequence[View]) -> list[Entry]:
    """Return all cases of all runs; a case of a later run follows the same case of the first run."""
    found = [entry for v in views for entry in _entries(v, v.label if len(views) > 1 else "")]
    if len(views) == 1:
        return found
    first = {e.row.case: e for e in found if e.view is views[0]}
    paired = [e if e.view is views[0] else _held(e, first.get(e.row.case), views[0].label) for e in found]
    order = list(dict.fromkeys(e.row.case for e in paired))
    return sorted(paired, key=lambda e: order.index(e.row.case))


def references(views: Sequence[View]) -> list[Reference]:
    """Return the baselines' cases that new cases are compared with, each once."""
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
