"""`btlib baseline`: make a run the baseline, check baseline files."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.output import print_line

app = typer.Typer(no_args_is_help=True, help="Make a run the baseline, check baseline files.")


@app.command()
def accept(
    run: Annotated[Path, typer.Argument(help="Folder of a run, such as reports/2026-11-24_101500-smoke.")],
    name: Annotated[str, typer.Option(help="Name of the baseline: the file is NAME.json.")],
    reason: Annotated[str, typer.Option(help="Why these numbers are the baseline from now on.")],
    margin: Annotated[float, typer.Option(min=0.001, max=0.5, help="Loss of Dice or accuracy to tolerate.")] = 0.02,
    folder: Annotated[Path, typer.Option(help="Folder of the baselines.")] = Path("baselines"),
) -> None:
    """Write the cases of a run, per-slice numbers included, as a baseline."""
    from btlib.runs.accept import as_baseline

    baseline = as_baseline(run, name, reason, margin)
    path = folder / f"{name}.json"
    baseline.save(path)
    print_line(f"{len(baseline.cases)} cases accepted into {path}. Look at the difference, and commit it.")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Baseline files.")],
) -> None:
    """Check that baseline files follow their schema and agree with their own slices."""
    from btlib.baselines import Baseline

    for path in files:
        baseline = Baseline.load(path)
        print_line(f"{path}: sound, {baseline.kind}, {len(baseline.cases)} cases")
