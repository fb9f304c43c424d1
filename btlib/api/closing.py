"""End of a session: make the reports, the summary for the terminal and the exit code from the records of a run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from btlib import hooks
from btlib.api.timings import timings
from btlib.errors import BtlibError
from btlib.gate.judgement import Judgement, judge_run
from btlib.gate.loading import NONE, load_baseline
from btlib.gate.verdict import COULD_NOT_JUDGE, COULD_NOT_TELL, FELL_SHORT, exit_code
from btlib.reporting import compare, table, write_comparison, write_significance
from btlib.reporting.significance import have_same_samples
from btlib.reporting.speed import noise_line, write_speed
from btlib.reporting.text import PHANTOM_NOTE
from btlib.runs import RunStore
from btlib.runs.results import run_results


@dataclass(frozen=True)
class Summary:
    """Summary of a run for the terminal.

    Attributes:
        tier: Tier of the run.
        title: Title with tier and baseline.
        lines: Lines with the table and the paths of the reports.
        missing: Planned cases without a record.
        judgement: All verdicts.
    """

    tier: str
    title: str
    lines: list[str]
    missing: tuple[str, ...]
    judgement: Judgement


def close(folder: Path, began: float | None = None) -> Summary:
    """Write the reports of a run from its records and return its summary.

    Args:
        folder: Folder of the run.
        began: Start of the session, from `time.perf_counter`; None to show no timings.
    """
    run = RunStore(folder)
    info, records = run.info(), run.records()
    baseline = load_baseline(Path(info.baseline))
    judgement = judge_run(run, baseline)
    comparison = compare(info, records, run.speeds(), judgement, baseline)
    path = write_comparison(comparison, folder)
    lines = [info.data, *([PHANTOM_NOTE] if info.task.synthetic else []), ""]
    lines += table(comparison).splitlines() if comparison.rows else ["no case was run"]
    lines += ["", *(f"seeds: {line}" for line in stages)] if (stages := comparison.stages()) else []
    lines += ["", f"not measured: {', '.join(comparison.missing)}"] if comparison.missing else []
    lines += ["", f"comparison:   {path}", *_significance(run, folder), *_speed(run, folder)]
    lines += _page(folder)
    if began is not None:
        lines.append(timings(run, time.perf_counter() - began).line())
    hooks.notify("btlib_run_judged", store=run, judgement=judgement)
    compared = "without comparison" if Path(info.baseline) == NONE else f"compared with {Path(info.baseline).stem}"
    named = info.tier if info.name is None else f"{info.name} ({info.tier})"
    return Summary(info.tier, f"btlib {named} {compared}", lines, comparison.missing, judgement)


def exit_status(status: int, failures: Sequence[str | None], incomplete: bool, hidden: Sequence[str] = ()) -> int:
    """Return the exit code of the session; a verdict that a mark such as xfail hides fails it too.

    Args:
        status: Exit code of pytest.
        failures: For each failed item, the verdict that made it fail; None if the reason was no verdict.
        incomplete: Whether a required case is missing.
        hidden: Verdicts that were to fail an item, also those that a mark or an `except` clause hides.
    """
    if status == 0 and hidden:
        status, failures = FELL_SHORT, ()  # what failed before passed when it was run again
    found = [*failures, *hidden]
    if status == FELL_SHORT and found and all(failure in COULD_NOT_TELL for failure in found):
        return COULD_NOT_JUDGE
    return COULD_NOT_JUDGE if status == 0 and incomplete else status


def status_of_checks(summaries: Sequence[Summary], *, strict: bool) -> int:
    """Return the exit code of runs of `bt_gate`, so that a mark such as xfail does not hide a verdict.

    Args:
        summaries: Summaries of the runs.
        strict: Whether an unclear verdict fails.
    """
    codes = [exit_code(summary.judgement.verdicts, strict=strict) for summary in summaries]
    return FELL_SHORT if FELL_SHORT in codes else max(codes, default=0)


def _page(folder: Path) -> list[str]:
    from btlib.reporting.html import write_report

    try:
        return [f"report:       {write_report(folder)}"]
    except BtlibError as error:
        return [f"report: not written: {error}"]


def _speed(run: RunStore, folder: Path) -> list[str]:
    noise = run.noise()
    path = write_speed(run.speeds(), noise, folder)
    return [] if path is None else [f"speed:        {path}", *([noise_line(noise)] if noise else [])]


def _significance(run: RunStore, folder: Path) -> list[str]:
    results = [r for r in run_results(run) if r.failure is None]
    if not have_same_samples(results):
        return []
    try:
        path = write_significance(results, folder)
    except BtlibError as error:
        return [f"significance: not written: {error}"]
    return [] if path is None else [f"significance: {path}"]
