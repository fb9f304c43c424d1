"""`btlib show`: what runs, records and baselines hold, side by side; nothing is run, nothing judged."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.arguments import Baselines
from btlib.cli.output import print_line


def show(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="A run's folder, a record, a baseline file or name.")
    ],
    metric: Annotated[list[str], typer.Option(help="Give it once for each metric.")] = ["dice", "accuracy"],  # noqa: B006
    pairs: Annotated[bool, typer.Option(help="Test every pair of cases of each source, corrected.")] = False,
    markdown: Annotated[bool, typer.Option(help="Tables for a Markdown file.")] = False,
    figure: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the values as well.")] = None,
    name: Annotated[
        list[str], typer.Option(metavar="TITLE", help="Title of a source; give it once for each, in their order.")
    ] = [],  # noqa: B006
    *,
    folder: Baselines,
) -> None:
    """Values with 95 % intervals, a column for each source; with --pairs, which of its cases differ."""
    from btlib.reporting.names import visible
    from btlib.reporting.side_by_side import conditions_line, draw_side_by_side, side_by_side
    from btlib.reporting.significance import one_training_note, pair_tests
    from btlib.reporting.significance_table import significance_table
    from btlib.reporting.sources import load_sources
    from btlib.reporting.values import check_metrics, column

    style = "github" if markdown else "simple"
    check_metrics(metric)
    loaded = load_sources(sources, folder, name)
    columns = [column(source, metric) for source in loaded]
    print_line(side_by_side(columns, metric, style))
    for source in loaded:
        print_line(conditions_line(source))
    if figure is not None:
        draw_side_by_side(columns, metric, figure)
    for source in loaded:
        if pairs and len(source.results) > 1:
            print_line(f"\n{visible(source.name)}\n")
            print_line(significance_table(pair_tests(source.results), style))
            if note := one_training_note(source.results):
                print_line(f"\n{note}")
