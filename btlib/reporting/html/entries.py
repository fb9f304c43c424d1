"""What a page shows: the cases of one run, or of several side by side, each under a label of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from btlib.baselines import Baseline
from btlib.baselines.held import load_baseline
from btlib.errors import BaselineError
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.comparison import Comparison, Row, compare
from btlib.results import CaseResult, SeedRun
from btlib.runs.folder import RunFolder
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import as_results
from btlib.runs.speed import Speed


@dataclass(frozen=True, eq=False)
class View:
    """One run, read.

    Attributes:
        label: What the page calls it: the folder's name.
        folder: Where it lies.
        info: What holds for all of its cases.
        comparison: Its cases against its baseline.
        baseline: That baseline, or why it cannot be had.
    """

    label: str
    folder: RunFolder
    info: RunInfo
    comparison: Comparison
    baseline: Baseline | BaselineError


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


def view(path: Path, baselines: Path | None = None) -> View:
    """Read a run.

    Args:
        path: Its folder.
        baselines: Where its baseline is looked up by name, should it no longer lie where it lay.

    Raises:
        RecordError: It is no run, or a record cannot be read.
    """
    folder = RunFolder(path)
    info = folder.info()
    at = Path(info.baseline)
    if baselines is not None and not at.exists() and (baselines / at.name).exists():
        at = baselines / at.name
    baseline = load_baseline(at)
    comparison = compare(info, folder.records(), folder.speeds(), baseline)
    return View(path.resolve().name, folder, info, comparison, baseline)


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
    records, speeds = v.folder.records(), v.folder.speeds()
    rows = {row.case: row for row in v.comparison.rows}
    return [
        _entry(v, rows[case], [r for r in records if r.case == case], speeds.get(case), label)
        for case in sorted(rows, key=lambda case: _order(v.info, case))
    ]


def _order(info: RunInfo, case: str) -> tuple[int, str]:
    return (info.cases.index(case) if case in info.cases else len(info.cases), case)


def _entry(v: View, row: Row, records: list[CaseRecord], speed: Speed | None, run: str) -> Entry:
    label = f"{row.case} · {run}" if run else row.case
    known = {} if isinstance(v.baseline, BaselineError) else v.baseline.cases
    before = tuple(known[row.case].runs) if row.case in known else ()
    name = f"baseline {v.baseline.name}" if not isinstance(v.baseline, BaselineError) and before else ""
    return Entry(label, v, row, replace(_result(records), case=label), tuple(records), speed, before, name)


def _result(records: list[CaseRecord]) -> CaseResult:
    from btlib.errors import RecordError

    try:
        return as_results(records)[0]
    except RecordError as error:  # seeds that do not belong together: the comparison tells it as a failure
        one = records[0]
        return CaseResult(one.case, one.title, one.conditions, one.metrics, (), 16, "error", str(error))


def _held(entry: Entry, first: Entry | None, run: str) -> Entry:
    if first is None or not first.result.runs:
        return entry
    return replace(entry, before=first.result.runs, before_name=run)
