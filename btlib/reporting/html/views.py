"""A run, read as far as it can be read; what cannot is named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from btlib.errors import BaselineError
from btlib.gate import Baseline
from btlib.gate.judgement import Judgement, judgement_of, stored_judgement
from btlib.gate.loading import NONE, load_baseline
from btlib.paths import baselines_folder, find_baseline
from btlib.reporting.comparison import Comparison, compare
from btlib.reporting.html.problems import Problems
from btlib.runs.record import CaseRecord, RunInfo, cells_of
from btlib.runs.speed import Speed, Timing
from btlib.runs.store import RunStore


@dataclass(frozen=True, eq=False)
class View:
    """One run, read.

    Attributes:
        label: What the page calls it: its title, else the folder's name.
        store: Where it lies.
        info: What holds for all of its cases.
        records: Those that can be read, in order of cases' names and seeds.
        speeds: Throughput by case.
        noise: The null run; None where none was made.
        comparison: Its cases against its baseline; missing in it are those of which there is no record at all.
        judgement: All verdicts on them.
        baseline: That baseline, or why it cannot be had.
        unread: Which of its numbers cannot be had, and why: the page must not say that all is well.
    """

    label: str
    store: RunStore
    info: RunInfo
    records: tuple[CaseRecord, ...]
    speeds: Mapping[str, Speed]
    noise: Timing | None
    comparison: Comparison
    judgement: Judgement
    baseline: Baseline | BaselineError
    unread: tuple[str, ...]


def view(path: Path, baselines: Path | None = None) -> View:
    """Read a run.

    Args:
        path: Its folder.
        baselines: Where its baseline is looked up by name, should it no longer lie where it lay.

    Raises:
        RecordError: It is no run, or does not say what it ran.
    """
    store = RunStore(path)
    info = store.info()
    problems = Problems()
    read = [problems.attempt(partial(store.record_at, file)) for file in store.record_paths()]
    records = sorted((r for r in read if r is not None), key=lambda r: (r.case, r.seed, r.fold or ""))
    speeds = dict(problems.attempt(store.older_speeds) or {})
    speeds |= {record.case: record.speed for record in reversed(records) if record.speed is not None}
    noise = next((speed.noise for speed in speeds.values() if speed.noise is not None), None)
    noise = noise or problems.attempt(store.older_noise)
    at = Path(info.baseline)
    baseline = load_baseline(
        at if at == NONE or at.exists() else find_baseline(at.stem, baselines or baselines_folder())
    )
    judgement = judgement_of(stored_judgement(store, info, baseline), info, records, baseline)
    comparison = compare(info, records, speeds, judgement, baseline)
    missing = []
    for case, lost in store.lost().items():
        if case in comparison.missing and len(lost) == sum(cell.case == case for cell in cells_of(info)):
            missing.append(case)
        else:
            problems.add(*(f"{store.record_path(cell)}: expected a record, there is none" for cell in lost))
    comparison = replace(comparison, missing=tuple(missing))
    name = info.name or path.resolve().name
    return View(name, store, info, tuple(records), speeds, noise, comparison, judgement, baseline, problems.said)
