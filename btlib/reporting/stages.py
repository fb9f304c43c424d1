"""Text on the stages of seeds of a run: after how many seeds each case stopped, and with which verdict."""

from collections.abc import Sequence

from btlib.reporting.names import visible
from btlib.runs.record import RunInfo


def stage_note(info: RunInfo, case: str, seeds: int, status: str) -> str:
    """Return a text such as "stopped after 3 of up to 5 seeds: pass"; empty for a run without stages.

    Args:
        info: Facts of the run.
        case: Name of the case.
        seeds: Number of its seeds that have a record.
        status: Worst of its verdicts.
    """
    most = len(info.seeds)
    if not info.stages:
        return ""
    if case in info.stopped:
        return f"stopped after {info.stopped[case]} of up to {most} seeds: {status}"
    return f"all {most} seeds: {status}" if seeds == most else f"{seeds} of up to {most} seeds, not finished: {status}"


def stage_lines(info: RunInfo, rows: Sequence[tuple[str, int, str]]) -> list[str]:
    """Return each note as one line, with the cases that have it; empty for a run without stages.

    Args:
        info: Facts of the run.
        rows: Name, number of seeds and status of each case.
    """
    by_note: dict[str, list[str]] = {}
    for case, seeds, status in rows:
        if note := stage_note(info, case, seeds, status):
            by_note.setdefault(note, []).append(visible(case))
    return [f"{note} ({', '.join(cases)})" for note, cases in by_note.items()]
