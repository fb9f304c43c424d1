"""`btlib report`: write one HTML page on one run, or on several runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.arguments import Baselines, run_folder
from btlib.cli.output import print_line

_LONGEST = 200  # bytes; longest list of run names in a file name


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN [RUN2 …]", help="Folders or names of runs, or: latest. The first run is the reference."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="File of the page; default: in the folder of the first run.")
    ] = None,
    name: Annotated[
        list[str],
        typer.Option(
            metavar="TITLE",
            help="Title of a run instead of its folder's name; give one per run, in the same order.",
        ),
    ] = [],  # noqa: B006
    *,
    folder: Baselines,
) -> None:
    """Write one HTML page from the records of a run; it needs no network. Several runs are shown side by side.

    For a single run, machine-readable files are written too: report.json, per_sample.csv, summary.md and figures/.
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
    """Return the name of a page with several runs; a long list of names is replaced by their number."""
    names = "-".join(run.resolve().name for run in others)
    return f"with-{names}.html" if len(names.encode()) <= _LONGEST else f"with-{len(others)}-others.html"
