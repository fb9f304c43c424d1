"""`btlib compare`: compare runs, records, baselines or files of scores with each other, without running anything."""

from collections.abc import Mapping
from typing import Annotated

import typer

from btlib.cli.arguments import Baselines
from btlib.cli.output import print_line


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="BEFORE AFTER",
            help="A run's folder, a record, a baseline file or name; or two files of scores (.csv, .parquet).",
        ),
    ],
    against: Annotated[
        str | None, typer.Option(help="Compare every source with this one, instead of all others with the first.")
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            help="Inconclusive and suspect verdicts, another rendering, and cases missing in AFTER are failures."
        ),
    ] = False,
    independent: Annotated[
        bool, typer.Option(help="Judge samples without patient id; state that they are independent of each other.")
    ] = False,
    rescore: Annotated[
        bool, typer.Option(help="The models are the same on both sides: verdicts do not cover another training.")
    ] = False,
    alpha: Annotated[float, typer.Option(help="Probability that an unchanged suite has any regression.")] = 0.05,
    name: Annotated[
        list[str], typer.Option(metavar="TITLE", help="Title of a source; give one per source, in the same order.")
    ] = [],  # noqa: B006
    *,
    metric: Annotated[
        list[str], typer.Option(metavar="COLUMN", help="Files of scores: column to compare; may be repeated.")
    ] = [],  # noqa: B006
    margin: Annotated[
        list[str],
        typer.Option(metavar="VALUE", help="Files of scores: loss to tolerate; METRIC=VALUE for several metrics."),
    ] = [],  # noqa: B006
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Files of scores: column of the groups, such as speakers or patients."),
    ] = None,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Files of scores: lower values of all metrics are better.")
    ] = False,
    lower: Annotated[
        list[str], typer.Option(metavar="COLUMN", help="Files of scores: lower values of this metric are better.")
    ] = [],  # noqa: B006
    retrained: Annotated[
        bool,
        typer.Option("--retrained", help="Files of scores without seeds: the model was trained anew in between."),
    ] = False,
    folder: Baselines,
) -> None:
    """Compare AFTER with BEFORE, or each of them with a baseline; nothing is run.

    Files of scores have the columns id, one column per metric, a column of groups, and optionally seed.
    Exit code 0: all pass; 1: a case fails; 7: a case could not be compared; 2: a file cannot be read.
    """
    from btlib.errors import OptionError
    from btlib.gate.gate_options import GateOptions
    from btlib.gate.verdict import COULD_NOT_JUDGE, exit_code
    from btlib.reporting.names import visible
    from btlib.reporting.ranking_table import ranking_table
    from btlib.reporting.score_sources import are_scores, definitions, load_scores
    from btlib.reporting.sources import beside, hold, left_out, load_source, load_sources
    from btlib.reporting.subgroup_table import warning_lines
    from btlib.reporting.verdicts import verdict_table

    if against is None and len(sources) < 2:
        raise OptionError(
            "expected two sources, or one source and --against", where="btlib compare", hint="add a second source"
        )
    options = GateOptions(strict=strict, alpha=alpha, rescore=rescore)
    if are_scores([*sources, *([] if against is None else [against])]):
        _require_one_unit(group, independent)
        scores = definitions(metric, margin, lower_is_better=lower_is_better, lower=lower)
        loaded = load_scores(sources, scores, group, name, retrained=retrained)
        if against is not None:
            loaded = [*load_scores([against], scores, group, [], retrained=retrained), *loaded]
        reference, *rest = loaded
        independent = False  # it is in the conditions of the sources
    else:
        given = {"metric": metric, "margin": margin, "group": group, "lower-is-better": lower_is_better}
        _require_nothing(given | {"lower": lower, "retrained": retrained})
        loaded = load_sources(sources, folder, name)
        reference, rest = (loaded[0], loaded[1:]) if against is None else (load_source(against, folder), loaded)
    found, absent = [], []
    for source in rest:
        verdicts, lacking = (
            hold(source, reference, options=options, independent=independent),
            left_out(source, reference),
        )
        found += verdicts
        absent += lacking
        ours, theirs = visible(source.name), visible(reference.name)
        print_line(f"{ours} compared with {theirs}")
        print_line(f"{verdict_table(verdicts)}\n")
        for verdict in verdicts:
            if verdict.reason:
                print_line(f"{visible(verdict.case)}, {verdict.metric} ({verdict.status}): {verdict.reason}")
        for line in warning_lines(verdicts):
            print_line(line)
        if new := beside(source, reference, options=options, independent=independent):
            print_line(f"\nnot in {theirs}, so compared with each of its cases\n\n{ranking_table(new)}")
        if lacking:
            print_line(f"not in {ours}: {', '.join(map(visible, lacking))}")
    code = exit_code(found, strict=strict)
    raise typer.Exit(COULD_NOT_JUDGE if strict and absent and code == 0 else code)


def _require_one_unit(group: str | None, independent: bool) -> None:
    """Require that the user states whether samples of files of scores are grouped or independent."""
    from btlib.errors import OptionError

    if (group is None) != independent:
        raise OptionError(
            "expected either --group COLUMN or --independent",
            where="btlib compare",
            hint="samples of one speaker, patient or site are not independent: name the column with --group",
        )


def _require_nothing(options: Mapping[str, object]) -> None:
    """Refuse options for files of scores if the sources are runs, records or baselines."""
    from btlib.errors import OptionError

    for name, value in options.items():
        if value:
            raise OptionError(
                "this option is for files of scores (.csv, .parquet)",
                where=f"--{name}",
                hint="the margins of a run are those of its baseline",
            )
