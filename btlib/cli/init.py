"""`btlib init`: write a starter project."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.output import print_line


def init(folder: Annotated[Path, typer.Argument(help="Folder of the project.")] = Path()) -> None:
    """Write a starter project: a case, its test, settings of pytest and a workflow; existing files are not changed."""
    from btlib.starter import start

    started = start(folder)
    for path in started.written:
        print_line(f"wrote {path}")
    for path, lines in started.to_add.items():
        print_line(f"\n{path} already exists; add this to it:\n\n{lines}")
    configured = folder / "pyproject.toml" in started.written
    measure = "pytest" if configured else "pytest tests/test_mine.py --bt-baseline none"
    print_line(f"\nNext{'' if folder == Path() else f', in {folder}'}:")
    print_line("  btlib check mine.py::mine                       # does the case follow the protocol?")
    print_line(f"  {measure:<47} # measure it on synthetic samples")
    print_line('  btlib baseline accept latest --name mine --reason "first numbers"')
