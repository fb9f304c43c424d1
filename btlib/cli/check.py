"""`btlib check`: does a case keep its promises?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btlib.cli.output import print_line

if TYPE_CHECKING:
    from btlib.conformance import CheckResult

_MARKS = {"pass": "✓", "fail": "✗", "skip": "–"}


def check(
    case: Annotated[str, typer.Argument(metavar="CASE", help="path/to/file.py::NAME, or the name of a known case.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Slices, where the case has saved predictions of these.")
    ] = None,
) -> None:
    """Examine a case on phantoms, in seconds on the CPU; exit code 1 if it breaks a promise."""
    from btlib.cases import load_case
    from btlib.conformance import check_case

    found = load_case(case)
    print_line(f"case {found.name}: {found.title}")
    results = check_case(found, data)
    for result in results:
        _show(result)
    failed = [result.check for result in results if result.outcome == "fail"]
    print_line(f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}" if failed else "all checks hold")
    if failed:
        raise typer.Exit(1)


def _show(result: "CheckResult") -> None:
    lines = result.message.splitlines() or [""]
    aside = f"  ({lines[0]})" if result.outcome == "skip" else ""
    print_line(f"  {_MARKS[result.outcome]} {result.check}{aside}")
    if result.outcome == "fail":
        for line in lines:
            print_line(f"      {line}")
