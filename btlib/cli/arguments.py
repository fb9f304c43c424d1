"""Arguments and options that several commands share; folders are those of the user's project (see `btlib.paths`)."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.paths import baselines_folder, checkpoints_folder, find_run, reports_folder, unknown_source


def _run(text: str) -> Path:
    if (run := find_run(text)) is None:
        raise unknown_source(text, Path(), "run")
    return run


Run = Annotated[
    Path, typer.Argument(metavar="RUN", parser=_run, help="Folder of a run, its name in reports/, or: latest.")
]
Baselines = Annotated[
    Path, typer.Option("--folder", default_factory=baselines_folder, help="Folder of your baselines.")
]
Checkpoints = Annotated[
    Path,
    typer.Option(
        "--checkpoints",
        "--bt-checkpoints",
        metavar="DIR",
        default_factory=checkpoints_folder,
        help="Folder of trained models.",
    ),
]
Reports = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR",
        default_factory=reports_folder,
        help="Folder, such as a run's; the files go into its explain/.",
    ),
]
