"""`btlib baseline`: show what a run would change, make it the baseline, and check baseline files."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btlib.cli.arguments import Baselines, Run
from btlib.cli.output import print_line

if TYPE_CHECKING:
    from btlib.gate.acceptance import Proposal

app = typer.Typer(
    no_args_is_help=True, help="Show what a run would change, make it the baseline, and check baseline files."
)

Name = Annotated[str, typer.Option(help="Name of the baseline: the file is NAME.json.")]
Margin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC=VALUE",
        help="Loss to tolerate; default: margin of the old baseline, else 0.02. A subgroup is gated by its own margin: "
        "dice@class:NAME=0.03, dice@size:small=0.05.",
    ),
]
MoveFirst = Annotated[
    list[str],
    typer.Option(
        metavar="CASE",
        help="Forget the numbers of this case that were accepted first; slow losses are counted from this run on.",
    ),
]
Add = Annotated[
    bool, typer.Option(help="Keep the baseline's other cases unchanged; without it, the run must contain all of them.")
]


@app.command()
def propose(
    run: Run,
    name: Name,
    margin: Margin = None,
    add: Add = False,
    move_first: MoveFirst = [],  # noqa: B006
    *,
    folder: Baselines,
) -> None:
    """Show what would change if a run became the baseline; exit code 1 if it cannot be accepted."""
    proposal = _proposal(run, name, "proposed", margin, add, folder, move_first)
    _show(proposal)
    if proposal.refusals or proposal.worse:
        raise typer.Exit(1)


@app.command()
def accept(
    run: Run,
    name: Name,
    reason: Annotated[str, typer.Option(help="Why these numbers are the baseline from now on.")],
    margin: Margin = None,
    add: Add = False,
    move_first: MoveFirst = [],  # noqa: B006
    allow_worse: Annotated[
        bool, typer.Option(help="Accept numbers that are worse than those of the old baseline.")
    ] = False,
    *,
    folder: Baselines,
) -> None:
    """Write the cases of a run as a baseline, including the numbers per sample."""
    from btlib.gate.acceptance import accept as write

    proposal = _proposal(run, name, reason, margin, add, folder, move_first)
    path = folder / f"{name}.json"
    write(proposal, path, allow_worse=allow_worse)
    _show(proposal)
    accepted, total = ", ".join(proposal.cases), len(proposal.new.cases)
    print_line(f"{accepted} accepted into {path} ({total} in total). Check the diff and commit it.")


@app.command()
def spread(run: Run, name: Name, *, folder: Baselines) -> None:
    """Store how much cases vary between trainings, measured by a run with several seeds; no value changes."""
    from btlib.decimals import decimals
    from btlib.gate import Baseline
    from btlib.gate.measured_spread import with_spreads
    from btlib.paths import find_baseline

    before = Baseline.load(find_baseline(name, folder))
    after = with_spreads(before, run)
    path = folder / f"{name}.json"
    after.save(path)
    for case, known in after.cases.items():
        for metric, found in known.spread.items():
            if found != before.cases[case].spread.get(metric):
                figure = after.figure(case, metric)
                digits = decimals(None if figure is None else figure.margin, [found.sd])
                sd = f"{found.sd:.{digits}f}"
                print_line(f"{case} {metric}: standard deviation {sd} between {found.trainings} trainings")
    print_line(f"Stored in {path}. Check the diff and commit it.")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Baseline files.")],
) -> None:
    """Check that baseline files follow the schema and that their means agree with their values per sample."""
    from btlib.gate import Baseline

    for path in files:
        baseline = Baseline.load(path)
        print_line(f"{path}: valid, {baseline.kind}, {len(baseline.cases)} cases")


@app.command()
def migrate(
    files: Annotated[list[Path], typer.Argument(help="Baseline files; each is converted in place.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the samples that the baselines were measured on.")
    ] = None,
) -> None:
    """Convert baseline files to the current schema: no number changes, and everything that is added is checked."""
    from btlib.gate.migrate import migrate as upgrade

    for path in files:
        upgraded = upgrade(path, data, progress=True)
        upgraded.save(path)
        known = upgraded.conditions.patients
        patients = (
            ""
            if known is None
            else f", {known.n_test} test patients, {known.seen} test samples of patients in training"
        )
        print_line(f"{path}: {len(upgraded.cases)} cases{patients}")


def _proposal(
    run: Path,
    name: str,
    reason: str,
    margin: list[str] | None,
    add: bool,
    folder: Path,
    move_first: Sequence[str] = (),
) -> "Proposal":
    from btlib.errors import OptionError
    from btlib.gate import Baseline
    from btlib.gate.acceptance import propose as look
    from btlib.paths import find_baseline

    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise OptionError(f"expected letters, digits and . _ + -, got {name!r}", where="--name", hint="--name mine")
    if not reason.strip():
        raise OptionError("expected a sentence", where="--reason", hint="state why these numbers become the baseline")
    path = find_baseline(name, folder)
    old = Baseline.load(path) if path.exists() else None
    return look(run, name, reason, dict(map(_margin, margin or [])), old, add=add, move_first=move_first)


def _margin(text: str) -> tuple[str, float]:
    from btlib.errors import OptionError
    from btlib.evaluation.catalogue import METRICS, of_score
    from btlib.gate.margins import margins_of
    from btlib.numbers import define

    metric, equals, value = text.rpartition("=")
    name = metric if equals else text
    known = METRICS[name] if name in METRICS or not equals else of_score(define(name))  # the run may have it
    low, high = known.range
    try:
        margin = float(value.replace("_", "?"))  # Python's 1_0 is a typing error here
        if margin in margins_of(known):
            return metric, margin
    except ValueError:
        pass
    raise OptionError(
        f"expected METRIC=VALUE with a loss above 0 and below {high - low:g}, got {text!r}",
        where="--margin",
        hint="for example --margin dice=0.02",
    )


def _show(proposal: "Proposal") -> None:
    from btlib.reporting.proposal import proposal_lines

    for line in proposal_lines(proposal):
        print_line(line)
