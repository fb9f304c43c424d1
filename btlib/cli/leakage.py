"""`btlib leakage`: compare the same models on a split by sample and on a split by patient."""

from typing import Annotated

import typer

from btlib.cli.arguments import Baselines
from btlib.cli.output import print_line


def leakage(
    near: Annotated[str, typer.Argument(help="A run on slice-seed42: its folder, a baseline file or name.")],
    apart: Annotated[str, typer.Argument(help="The same cases on patient-5fold-1, or on another split by patient.")],
    *,
    folder: Baselines,
    markdown: Annotated[bool, typer.Option(help="Print the table for a Markdown file.")] = False,
) -> None:
    """Show how much Dice and accuracy drop if no patient is in both training and test."""
    from btlib.reporting.leakage import leakage as gaps
    from btlib.reporting.leakage import leakage_table, seen_line
    from btlib.reporting.sources import load_source

    sources = [load_source(text, folder) for text in (near, apart)]
    found = gaps(*sources)
    for source in sources:
        print_line(seen_line(source))
    print_line(leakage_table(found, "github" if markdown else "simple"))
