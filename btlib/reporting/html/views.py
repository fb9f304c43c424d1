"""Reading of a run for the page; parts that cannot be read are reported."""

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
    """One run and its content.

    Attributes:
        label: Name of the run on the page: its title, else the folder's name.
        store: Store of the run's folder.
        info: Information that is common to all cases.
        records: Readable records, ordered by case, seed and fold.
        speeds: Timings by case.
        noise: Timing of the null run; None without one.
        comparison: Comparison with the baseline; a case is missing in it if it has no record at all.
        judgement: All verdicts.
        baseline: Baseline of the run, or the error that prevents reading it.
        unread: Errors on numbers that cannot be read; with any, the page does not state that all cases hold.
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
        path: Folder of the run.
        baselines: Folder in which the baseline is looked up by name if its recorded path no longer exists.

    Raises:
        RecordError: The folder is not a run, or its run information cannot be read.
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
        if case in comparison.missing and not any(
            store.record_path(c).exists() for c in cells_of(info) if c.case == case
        ):
            missing.append(case)
        else:
            problems.add(*(f"{store.record_path(cell)}: expected a record, found no file" for cell in lost))
    comparison = replace(comparison, missing=tuple(missing))
    name = info.name or path.resolve().name
    return View(name, store, info, tuple(records), speeds, noise, comparison, judgement, baseline, problems.said)
