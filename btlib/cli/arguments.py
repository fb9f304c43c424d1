"""Arguments and options that several commands share. Default folders are in the user's project (see `btlib.paths`)."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.paths import baselines_folder, checkpoints_folder, data_folder, find_run, reports_folder, unknown_source


def run_folder(text: str) -> Path:
    """Return the folder of a run that the user named.

    Raises:
        UnknownNameError: There is no such run; the hint suggests the closest name.
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
        help="Folder of your own baselines; the baselines shipped with btlib are found too.",
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
        help="Folder for the samples; they are written to its subfolder data/.",
    ),
]
Reports = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR",
        default_factory=reports_folder,
        show_default="reports/ of the project",
        help="Folder, for example of a run; the files are written to its subfolder explain/.",
    ),
]
