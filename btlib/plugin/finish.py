"""At the end of a session: from the records of a run to its comparison and the summary on the terminal."""

from dataclasses import dataclass
from pathlib import Path

from btlib.plugin.run import load_baseline
from btlib.reporting import compare, table, write_comparison
from btlib.reporting.write import PHANTOM_NOTE
from btlib.runs import RunFolder


@dataclass(frozen=True)
class Summary:
    """What the terminal shows of a run."""

    title: str
    lines: list[str]


def finish(folder: Path) -> Summary:
    """Write `comparison.{md,csv,json}` of a run and return its summary."""
    run = RunFolder(folder)
    info = run.info()
    comparison = compare(info, run.records(), run.speeds(), load_baseline(Path(info.baseline)))
    path = write_comparison(comparison, folder)
    lines = [info.data, *([PHANTOM_NOTE] if info.origin == "phantom" else []), ""]
    lines += table(comparison).splitlines() if comparison.rows else ["no case was run"]
    return Summary(f"btlib {info.tier} against {Path(info.baseline).stem}", [*lines, "", f"comparison: {path}"])
