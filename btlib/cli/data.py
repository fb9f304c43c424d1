"""`btlib data`: download, check, audit, import and export samples, and generate phantoms."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btlib.cli.arguments import Data
from btlib.cli.audit import audit
from btlib.cli.data_export import export_folder
from btlib.cli.data_import import ImportCommand, import_folder
from btlib.cli.output import one_line, print_counts, print_error, print_line
from btlib.errors import OptionError

if TYPE_CHECKING:
    from btlib.data.sources.figshare.scan import ScanReport

_REPORT = "verify.json"
_SIZES = 10  # rows of sizes in the table: each sample may have another size

app = typer.Typer(no_args_is_help=True, help="Download, check, audit, import and export samples.")
app.command("import", cls=ImportCommand)(import_folder)
app.command("export")(export_folder)
app.command()(audit)


@app.command()
def download(
    out: Data,
    base_url: Annotated[str | None, typer.Option(help="URL of another server with Figshare's API.")] = None,
) -> None:
    """Download the dataset (Figshare article 1512427, 0.9 GB, CC BY 4.0); an interrupted download is resumed."""
    from btlib.data.sources.figshare.download import BASE_URL
    from btlib.data.sources.figshare.download import download as get

    folder = get(out, base_url=base_url or BASE_URL, progress=True)
    print_line(f"The samples are in {folder}. Check them with: btlib data verify {out} --expect 3064")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of samples, or its parent folder with the subfolder data/.")],
    expect: Annotated[int | None, typer.Option(min=1, help="Require exactly the samples 1…N.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Write all patients and faults as JSON; default: {_REPORT}, only if there are faults."
        ),
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
    out: Annotated[Path, typer.Argument(help="Folder for the phantoms; they are written to its subfolder data/.")],
    slices: Annotated[int, typer.Option(min=1, help="Number of phantoms.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same phantoms.")] = 0,
    png: Annotated[
        bool, typer.Option("--png", help="Write PNG images and masks of four classes, to try out `btlib data import`.")
    ] = False,
) -> None:
    """Generate phantoms: synthetic samples in place of the real ones."""
    from btlib.data.sources.phantom.files import write_phantoms

    if png:
        from btlib.data.sources.phantom.images import write_phantom_images

        folder = write_phantom_images(out, slices, seed, progress=True)
        print_line(f"{slices} phantoms are in {folder}: images/CLASS/PATIENT-NUMBER.png and masks of the same names")
        return

    print_line(f"{slices} phantoms are in {write_phantoms(out, slices, seed, progress=True)}")


def _show(report: "ScanReport") -> None:
    from btlib.data.sources.figshare.scan_output import fault_lines, patients_line

    print_counts("By class", dict(report.classes))
    print_counts("By size", _sizes(report))
    print_line(patients_line(report.patients))
    origins = ", ".join(f"{count} {origin}" for origin, count in report.origins.items())
    print_line(f"{report.n} valid samples ({origins or 'none'}), {len(report.faults)} faults")
    for note in report.notes:
        print_line(f"Note: {one_line(note)}")
    for line in fault_lines(report.faults):
        print_line(line)


def _write(report: "ScanReport", out: Path | None) -> None:
    """Write the complete report to a file; an error is raised only for a file that the user named."""
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
    """Return the number of samples for each of the most frequent sizes, and for all other sizes together."""
    frequent = Counter(report.sizes).most_common(_SIZES)
    shown = {f"{height}×{width}": count for (height, width), count in frequent}
    others = len(report.sizes) - len(shown)
    return shown | ({f"{others} other sizes": report.n - sum(shown.values())} if others else {})
