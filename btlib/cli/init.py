"""`btlib init`: write a starter project."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.output import print_line


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project.")] = Path(),
    data: Annotated[
        Path | None,
        typer.Option("--data", "--bt-data", metavar="DIR", help="Your data: the case predicts what their task has."),
    ] = None,
) -> None:
    """Write a starter project: a case, its test, settings of pytest and a workflow; existing files are not changed."""
    from btlib.data.load import open_source
    from btlib.starter import start

    started = start(folder, None if data is None else open_source(data).task)
    for path in started.written:
        print_line(f"wrote {path}")
    for path, lines in started.to_add.items():
        print_line(f"\n{path} already exists; add this to it:\n\n{lines}")
    configured = folder / "pyproject.toml" in started.written
    measure = "pytest" if configured else "pytest tests/test_mine.py --bt-baseline none"
    on = ""
    if data is not None:
        on = f" --data {shlex.quote(str(data if folder == Path() else data.absolute()))}"
        measure = f"btlib run mine.py::mine{on}"
    print_line(f"\nNext{'' if folder == Path() else f', in {folder}'}:")
    print_line(f"  {f'btlib check mine.py::mine{on}':<47} # does the case follow the protocol?")
    print_line(f"  {measure:<47} # measure it on {'synthetic samples' if data is None else 'your data'}")
    print_line('  btlib baseline accept latest --name mine --reason "first numbers"')
