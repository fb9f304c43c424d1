"""`btlib show`: show runs, records and baselines side by side, without running or judging anything."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.arguments import Baselines
from btlib.cli.output import print_line


def show(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="A run's folder, a record, a baseline file or name.")
    ],
    metric: Annotated[
        list[str],
        typer.Option(
            help="Metric; give one option per metric.", show_default="dice, accuracy and scores of the sources"
        ),
    ] = [],  # noqa: B006
    pairs: Annotated[
        bool, typer.Option(help="Test every pair of cases of each source, corrected for multiple tests.")
    ] = False,
    markdown: Annotated[bool, typer.Option(help="Print the tables for a Markdown file.")] = False,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Also draw the values into this file.")
    ] = None,
    name: Annotated[
        list[str], typer.Option(metavar="TITLE", help="Title of a source; give one per source, in the same order.")
    ] = [],  # noqa: B006
    *,
    folder: Baselines,
) -> None:
    """Show values with 95 % intervals, one column per source; with --pairs also which cases differ.

    Metrics of all samples together, such as auroc, have intervals of their differences and no tests.
    """
    from btlib.reporting.names import visible
    from btlib.reporting.set_pairs import NO_P, set_pairs, set_pairs_table
    from btlib.reporting.side_by_side import conditions_line, draw_side_by_side, side_by_side
    from btlib.reporting.significance import have_same_samples, one_training_note, pair_tests
    from btlib.reporting.significance_table import significance_table
    from btlib.reporting.sources import load_sources
    from btlib.reporting.values import check_metrics, column, known_to

    style = "github" if markdown else "simple"
    loaded = load_sources(sources, folder, name)
    known = known_to(loaded)
    metric = metric or ["dice", "accuracy", *known.scores]
    check_metrics(metric, known)
    columns = [column(source, metric) for source in loaded]
    print_line(side_by_side(columns, metric, style))
    for source in loaded:
        print_line(conditions_line(source))
    for shown in columns:
        for note in shown.notes:
            print_line(f"{visible(shown.name)}: {visible(note)}")
    if figure is not None:
        draw_side_by_side(columns, metric, figure, known)
    for source in loaded:
        if pairs and len(source.results) > 1:
            print_line(f"\n{visible(source.name)}\n")
            if not have_same_samples(source.results):
                print_line("The cases have different samples or definitions, so pairs are not tested.")
                continue
            print_line(significance_table(pair_tests(source.results), style))
            if found := set_pairs(source.results, metric):
                print_line(f"\n{set_pairs_table(found, style)}\n\n{NO_P}")
            if note := one_training_note(source.results):
                print_line(f"\n{note}")
