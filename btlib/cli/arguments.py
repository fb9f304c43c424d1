"""Arguments and options that several commands share; folders are those of the user's project (see `btlib.paths`)."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.paths import baselines_folder, checkpoints_folder, data_folder, find_run, reports_folder, unknown_source


def run_folder(text: str) -> Path:
    """Folder of a run that the user named.

    Raises:
        UnknownNameError: There is none; the nearest is offered.
    """
    if (run := find_run(text)) is None:
        raise unknown_source(text, Path(), "run")
    return run


Run = Annotated[
    Path, typer.Argument(metavar="RUN", parser=run_folder, help="Folder of a run, its name in reports/, or: latest.")
]
Baselines = Annotated[
    Path,
    typer.Option(
        "--folder",
        default_factory=baselines_folder,
        show_default="baselines/ of the project",
        help="Folder of your own baselines; those that btlib ships are found as well.",
    ),
]
Checkpoints = Annotated[
    Path,
    typer.Option(
        "--checkpoints",
        "--bt-checkpoints",
        metavar="DIR",
        default_factory=checkpoints_folder,
        show_default="checkpoints/ of the project",
        help="Folder of trained models.",
    ),
]
Data = Annotated[
    Path,
    typer.Argument(
        default_factory=data_folder,
        show_default="data_figshare/ of the project",
        help="Folder for the samples; they go into its data/.",
    ),
]
Reports = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR",
        default_factory=reports_folder,
        show_default="reports/ of the project",
        help="Folder, such as a run's; the files go into its explain/.",
    ),
]
