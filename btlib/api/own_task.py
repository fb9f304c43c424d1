"""Baseline of a run on the user's own data."""

from pathlib import Path

from btlib.data.load import open_source
from btlib.data.source import DatasetSource
from btlib.data.sources.tasks import BUILT_IN
from btlib.data.task import Task
from btlib.errors import BaselineError, BtlibError
from btlib.gate import Baseline
from btlib.gate.loading import NONE, NoBaselineError, NotComparedError
from btlib.options import RunOptions

Compared = tuple[Path, Baseline | BaselineError]
"""File of a baseline, and the baseline or the reason why there is none."""


def of_task(compared: Compared, options: RunOptions, source: DatasetSource | None) -> Compared:
    """Replace the tier's baseline by no comparison if it is for another task than the user's data.

    A baseline that an option or a protocol names is always compared, so that a mistake in its name is an error.
    """
    path, baseline = compared
    named = options.baseline is not None or options.protocol is not None
    if named or isinstance(baseline, NotComparedError) or (isinstance(baseline, BaselineError) and path.exists()):
        return compared
    task = _task_of(source or options.data)
    if task is None or task.name in BUILT_IN:
        return compared
    if isinstance(baseline, Baseline) and baseline.conditions.task.question == task.question:
        return compared
    return NONE, NoBaselineError(f"the task {task.name!r} has no baseline")


def _task_of(data: DatasetSource | Path | None) -> Task | None:
    """Return the task of the user's data; None if there are none, or if they are faulty, which loading reports."""
    try:
        return None if data is None else (open_source(data) if isinstance(data, Path) else data).task
    except BtlibError:
        return None
