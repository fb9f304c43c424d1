"""`btlib data`: get the samples, check them, make phantoms."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btlib.cli.arguments import Data
from btlib.cli.output import one_line, print_counts, print_error, print_line
from btlib.errors import OptionError

if TYPE_CHECKING:
    from btlib.data.sources.figshare.scan import ScanReport

_REPORT = "verify.json"
_SIZES = 10  # sizes of samples in the table: a folder may have as many as samples

app = typer.Typer(no_args_is_help=True, help="Get the samples, check them, make phantoms.")


@app.command()
def download(
    out: Data,
    base_url: Annotated[str | None, typer.Option(help="Another server with Figshare's API.")] = None,
) -> None:
    """Download the dataset (Figshare article 1512427, 0.9 GB, CC BY 4.0); cut short, it goes on where it was."""
    from btlib.data.sources.figshare.download import BASE_URL
    from btlib.data.sources.figshare.download import download as get

    folder = get(out, base_url=base_url or BASE_URL, progress=True)
    print_line(f"The samples are in {folder}. Check them with: btlib data verify {out} --expect 3064")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of samples, or the one that holds their data/.")],
    expect: Annotated[int | None, typer.Option(min=1, help="Samples 1…N must be there, and no others.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"All patients and faults, as JSON; else {_REPORT}, where there are faults."),
    ] = None,
) -> None:
    """Check every sample of a folder; exit code 1 if any is faulty."""
    from btlib.data.sources.figshare.scan import scan

    report = scan(folder, expect, progress=True)
    _show(report)
    if out is not None or not report.sound:
        _write(report, out)
    if not report.sound:
        raise typer.Exit(1)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for the phantoms; they go into its data/.")],
    slices: Annotated[int, typer.Option(min=1, help="How many.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same phantoms.")] = 0,
) -> None:
    """Draw synthetic samples that stand in for the real ones."""
    from btlib.data.sources.phantom.files import write_phantoms

    print_line(f"{slices} phantoms are in {write_phantoms(out, slices, seed, progress=True)}")


def _show(report: "ScanReport") -> None:
    from btlib.data.sources.figshare.scan_output import fault_lines, patients_line

    print_counts("By class", dict(report.classes))
    print_counts("By size", _sizes(report))
    print_line(patients_line(report.patients))
    origins = ", ".join(f"{count} {origin}" for origin, count in report.origins.items())
    print_line(f"{report.n} sound samples ({origins or 'none'}), {len(report.faults)} faults")
    for note in report.notes:
        print_line(f"Note: {one_line(note)}")
    for line in fault_lines(report.faults):
        print_line(line)


def _write(report: "ScanReport", out: Path | None) -> None:
    """The whole report as a file; only a file that the user named must succeed."""
    from btlib.data.sources.figshare.scan_output import write_report

    path = out or Path(_REPORT)
    try:
        write_report(report, path)
    except OptionError as error:
        if out is not None:
            raise
        print_error(error)
    else:
        print_line(f"All patients and faults are in {path}")


def _sizes(report: "ScanReport") -> dict[str, int]:
    """Samples of the most frequent sizes, and of all others together."""
    frequent = Counter(report.sizes).most_common(_SIZES)
    shown = {f"{height}×{width}": count for (height, width), count in frequent}
    others = len(report.sizes) - len(shown)
    return shown | ({f"{others} other sizes": report.n - sum(shown.values())} if others else {})
