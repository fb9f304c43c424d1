"""`btlib results`: update the tables of a Markdown file from baselines."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.arguments import Baselines
from btlib.cli.output import print_line


def results(
    file: Annotated[Path, typer.Argument(help="Markdown file with marks, for example docs/results.md.")],
    check: Annotated[bool, typer.Option(help="Write nothing; exit code 1 if a table is out of date.")] = False,
    *,
    folder: Baselines,
) -> None:
    """Update every table between `<!-- btlib: … -->` and `<!-- btlib: end -->`."""
    from btlib.errors import OptionError
    from btlib.files import write_text
    from btlib.reporting.results_page import fill

    try:
        before = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot be read: {error}", where=file, hint="name a Markdown file") from error
    after = fill(before, folder)
    if check:
        print_line(f"{file}: {'up to date' if after == before else 'not up to date'}")
        raise typer.Exit(int(after != before))
    write_text(file, after)
    print_line(f"{file}: written")
