"""`btlib run`: measure cases, compare them with a baseline and write reports, without pytest."""

from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from btlib.cli.arguments import run_folder
from btlib.cli.output import print_line
from btlib.options import Declared, declarations, default_of, parser_of, plugin_options

if TYPE_CHECKING:
    from btlib.api import Finished

_LEFT_OUT = {"case"}  # an argument here, not an option


def run(
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="CASE…", help="Names or FILE.py::NAME; default: all installed cases.")
    ] = None,
    tier: Annotated[str, typer.Option(help="Tier: smoke (phantoms, takes minutes) or full.")] = "full",
    measure: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Additional measurement: inference, 'training step', explanation or all."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Resume this run in its folder; no other option is allowed."),
    ] = None,
    **options: Any,
) -> None:
    """Measure cases and compare them with a baseline, as `pytest --pyargs btlib.suite` does, but without pytest.

    Exit code 0: all pass; 1: a case fails; 7: a case could not be judged; 2: an option or a file is wrong.
    """
    from btlib.api.execution import ALL_MEASURES, InterruptedRunError
    from btlib.api.execution import resume as resume_run
    from btlib.api.execution import run as start
    from btlib.errors import OptionError
    from btlib.runs.progress import ProgressReporter

    progress = ProgressReporter(print_line)
    given = {n: value for n, value in options.items() if value is not None and value is not False and value != []}
    try:
        if resume is not None:
            if cases or measure or given:
                raise OptionError(
                    "a run is resumed with its original cases and options",
                    where="--resume",
                    hint="remove the cases and other options, or start a new run",
                )
            finished = resume_run(run_folder(resume), progress=progress)
        else:
            wanted = [name for asked in measure or [] for name in (ALL_MEASURES if asked == "all" else (asked,))]
            finished = start(cases or None, tier=tier, measures=wanted, progress=progress, **given)
    except InterruptedRunError as interrupted:
        _show(interrupted.finished)
        print_line(f"interrupted; to resume: btlib run --resume {interrupted.finished.folder}")
        raise typer.Exit(130) from interrupted
    _show(finished)
    raise typer.Exit(finished.exit_code)


def merge(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN2…", help="Folders of runs, or their names in reports/.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the new run.")],
    name: Annotated[str | None, typer.Option(metavar="TITLE", help="Title of the new run.")] = None,
) -> None:
    """Merge runs that differ in cases, seeds or folds into a new run, which is judged and reported."""
    from btlib.api.closing import close
    from btlib.api.merging import merge as join

    merged = join([run_folder(run) for run in runs], out, name)
    for line in close(merged.path).lines:
        print_line(line)


def _show(finished: "Finished") -> None:
    for line in ["", finished.summary.title, *finished.summary.lines]:
        print_line(line)


def _with_options(command: Any) -> Any:
    """Return the command with an option for each field of `RunOptions` and for each option of a plug-in."""
    found = {name: (declared, default_of(name)) for name, declared in declarations().items() if name not in _LEFT_OUT}
    found |= {option.key: (option.declared, option.default) for option in plugin_options()}
    own = [p for p in Signature.from_callable(command).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    more = [_parameter(name, declared, default) for name, (declared, default) in found.items()]
    command.__signature__ = Signature([p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*own, *more)])
    command.__annotations__ = {p.name: p.annotation for p in (*own, *more)}
    return command


def _parameter(name: str, declared: Declared, default: Any) -> Parameter:
    written, as_in_pytest = f"--{name.replace('_', '-')}", f"--bt-{name.replace('_', '-')}"
    if declared.kind == "flag":
        return Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option(written, as_in_pytest, help=declared.text)],
        )
    several = declared.kind == "repeated"
    option = typer.Option(
        written,
        as_in_pytest,
        help=declared.text,
        metavar=declared.metavar or ("|".join(declared.choices) if declared.choices else None),
        parser=None if several else parser_of(declared, Path.cwd(), written),
        show_default=False,
    )
    kind = list[str] | None if several else Any
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


_with_options(run)
