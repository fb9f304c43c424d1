"""`btlib leakage`: the same models on two splits, one of which keeps neighbours or patients apart."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.output import print_line


def leakage(
    near: Annotated[str, typer.Argument(help="A run on slice-seed42: its folder, a baseline file or name.")],
    apart: Annotated[str, typer.Argument(help="The same cases on block-seed42, or on a split by patient.")],
    folder: Annotated[Path, typer.Option(help="Folder of the baselines.")] = Path("baselines"),
) -> None:
    """How much of Dice and accuracy is lost when test slices have no neighbours among the training slices."""
    from btlib.reporting.leakage import leakage as gaps
    from btlib.reporting.leakage import leakage_table
    from btlib.reporting.sources import load_source

    sources = [load_source(text, folder) for text in (near, apart)]
    splits = [source.results[0].conditions.split_name if source.results else "–" for source in sources]
    print_line(f"{near} ({splits[0]}) against {apart} ({splits[1]})")
    print_line(leakage_table(gaps(*sources)))
