"""`btlib report`: a run, or several side by side, as one page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.output import print_line


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN [RUN2 …]", help="Folders of runs, the reference first.")],
    output: Annotated[Path | None, typer.Option(help="File of the page; by default in the first run's folder.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder of the baselines.")] = Path("baselines"),
) -> None:
    """Write a run as one HTML page that needs no network, from its records alone; several runs are shown side by side.

    Of one run the files for programs are written too: report.json, per_slice.csv, summary.md and figures/.
    """
    from btlib.reporting.html import write_page, write_report

    if len(runs) == 1 and output is None:
        path = write_report(runs[0], folder)
    else:
        names = "-".join(run.resolve().name for run in runs[1:])
        path = write_page(runs, output or runs[0] / f"with-{names}.html", folder)
    print_line(str(path))
