"""`btlib check`: test whether a case follows the protocol."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btlib.adapters.device_choice import Device, check_available
from btlib.cli.output import one_line, print_line
from btlib.types import Scaling

if TYPE_CHECKING:
    from btlib.conformance import CheckResult

_MARKS = {"pass": "✓", "fail": "✗", "note": "!", "skip": "–"}


def check(
    case: Annotated[str, typer.Argument(metavar="CASE", help="path/to/file.py::NAME, or the name of a known case.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", "--bt-data", metavar="DIR", help="Your data: phantoms of their task are used, not of Figshare's."
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            "--image-size",
            "--bt-image-size",
            metavar="PX",
            help="Side of the images, as in a run [default: 64, or 256 with --data].",
        ),
    ] = None,
    scaling: Annotated[
        Scaling | None,
        typer.Option(
            "--scaling", "--bt-scaling", help="Scaling, as in a run [default: thesis, or percentile with --data]."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", "--bt-split", metavar="NAME", help="Split that saved predictions are made for."),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Device for training and prediction; auto: the fastest available.")
    ] = "auto",
) -> None:
    """Check a case on phantoms, in seconds; exit code 1 if a check fails. A note (!) is not a failure.

    With --data, the phantoms have the channels, classes and structures of this folder's task; only saved predictions
    are compared with its samples.
    """
    from btlib.cases import load_case
    from btlib.conformance import check_case

    check_available(device)
    found = load_case(case)
    print_line(f"case {one_line(found.name)}: {one_line(found.title)}")
    results = check_case(found, data, device, image_size=image_size, scaling=scaling, split=split)
    for result in results:
        _show(result)
    print_line(_summary(results))
    if any(result.outcome == "fail" for result in results):
        raise typer.Exit(1)


def _show(result: "CheckResult") -> None:
    lines = result.message.splitlines() or [""]
    aside = f"  ({lines[0]})" if result.outcome == "skip" else ""
    print_line(f"  {_MARKS[result.outcome]} {result.check}{aside}")
    if result.outcome in ("fail", "note"):
        for line in lines:
            print_line(f"      {line}")


def _summary(results: list["CheckResult"]) -> str:
    failed, notes = ([result.check for result in results if result.outcome == outcome] for outcome in ("fail", "note"))
    verdict = f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}" if failed else "all checks passed"
    return verdict + (f"; with a note: {', '.join(notes)}" if notes else "")
