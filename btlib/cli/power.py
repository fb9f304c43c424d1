"""`btlib power`: what a comparison with a baseline can find, before anything is run."""

from typing import Annotated

import typer

from btlib.cli.arguments import Baselines
from btlib.cli.output import print_line


def power(
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help="Name or file of a baseline.")],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the run.")] = 1,
    case: Annotated[list[str], typer.Option(help="Only this case (may be repeated).")] = [],  # noqa: B006
    alpha: Annotated[float, typer.Option(help="Probability that an unchanged suite has any regression.")] = 0.05,
    markdown: Annotated[bool, typer.Option(help="Print the table for a Markdown file.")] = False,
    *,
    folder: Baselines,
) -> None:
    """Show which losses a run would find, how often an unchanged case passes, and how many seeds are enough."""
    from btlib.gate import Baseline
    from btlib.gate.gate_options import GateOptions
    from btlib.gate.power import expected_power
    from btlib.paths import find_baseline
    from btlib.reporting.power_table import note, power_table

    loaded = Baseline.load(find_baseline(baseline, folder))
    rows = expected_power(loaded, seeds, tuple(case), GateOptions(alpha=alpha))
    print_line(power_table(rows, "github" if markdown else "simple"))
    print_line(f"\n{note(rows)}")
