"""A run, read as far as it can be read; what cannot is named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from btlib.baselines import Baseline
from btlib.baselines.held import NONE, load_baseline
from btlib.errors import BaselineError
from btlib.paths import baselines_folder, find_baseline
from btlib.reporting.comparison import Comparison, compare
from btlib.reporting.html.problems import Problems
from btlib.runs.folder import RunFolder
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.speed import Speed, Timing


@dataclass(frozen=True, eq=False)
class View:
    """One run, read.

    Attributes:
        label: What the page calls it: its title, else the folder's name.
        folder: Where it lies.
        info: What holds for all of its cases.
        records: Those that can be read, in order of cases' names and seeds.
        speeds: Throughput by case.
        noise: The null run; None where none was made.
        comparison: Its cases against its baseline; missing in it are those of which there is no record at all.
        baseline: That baseline, or why it cannot be had.
        unread: Which of its numbers cannot be had, and why: the page must not say that all is well.
    """

    label: str
    folder: RunFolder
    info: RunInfo
    records: tuple[CaseRecord, ...]
    speeds: Mapping[str, Speed]
    noise: Timing | None
    comparison: Comparison
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
    folder = RunFolder(path)
    info = folder.info()
    problems = Problems()
    read = [problems.attempt(partial(folder.record_at, file)) for file in folder.record_paths()]
    records = sorted((r for r in read if r is not None), key=lambda record: (record.case, record.seed))
    timed = [problems.attempt(partial(folder.speed_at, file)) for file in folder.speed_paths()]
    speeds = {speed.case: speed for speed in timed if speed is not None}
    noise = problems.attempt(folder.noise)
    at = Path(info.baseline)
    baseline = load_baseline(
        at if at == NONE or at.exists() else find_baseline(at.stem, baselines or baselines_folder())
    )
    comparison = compare(info, records, speeds, baseline)
    missing = []
    for case, lost in folder.lost().items():
        if case in comparison.missing and len(lost) == len(info.seeds):
            missing.append(case)
        else:
            problems.add(*(f"{folder.record_path(case, seed)}: expected a record, there is none" for seed in lost))
    comparison = replace(comparison, missing=tuple(missing))
    name = path.resolve().name
    return View(name, folder, info, tuple(records), speeds, noise, comparison, baseline, problems.said)
