"""`btlib report`: a run, or several side by side, as one page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.arguments import Baselines, run_folder
from btlib.cli.output import print_line

_LONGEST = 200  # bytes of the other runs' names in the name of a file


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN [RUN2 …]", help="Folders of runs, their names, or: latest. The reference comes first."
        ),
    ],
    output: Annotated[Path | None, typer.Option(help="File of the page; by default in the first run's folder.")] = None,
    name: Annotated[
        list[str],
        typer.Option(
            metavar="TITLE",
            help="Title of a run in place of its folder's name; give it once for each, in their order.",
        ),
    ] = [],  # noqa: B006
    *,
    folder: Baselines,
) -> None:
    """Write a run as one HTML page that needs no network, from its records alone; several runs are shown side by side.

    Of one run the files for programs are written too: report.json, per_sample.csv, summary.md and figures/.
    """
    from btlib.reporting.html import write_page, write_report
    from btlib.reporting.names import check_titles

    check_titles(name, runs)
    folders = [run_folder(run) for run in runs]
    if len(folders) == 1 and output is None:
        path = write_report(folders[0], folder, *name)
    else:
        path = write_page(folders, output or folders[0] / _file_name(folders[1:]), folder, name)
    print_line(str(path))


def _file_name(others: list[Path]) -> str:
    """Of a page that shows other runs too; file names end somewhere, and so do not name them all."""
    names = "-".join(run.resolve().name for run in others)
    return f"with-{names}.html" if len(names.encode()) <= _LONGEST else f"with-{len(others)}-others.html"
