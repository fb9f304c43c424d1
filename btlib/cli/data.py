"""`btlib data`: get the slices, check them, make phantoms."""

from pathlib import Path
from typing import Annotated

import typer

from btlib.cli.output import print_counts, print_line

app = typer.Typer(no_args_is_help=True, help="Get the slices, check them, make phantoms.")


@app.command()
def download(
    out: Annotated[Path, typer.Argument(help="Folder for the slices; they go into its data/.")] = Path("data_figshare"),
    base_url: Annotated[str | None, typer.Option(help="Another server with Figshare's API.")] = None,
) -> None:
    """Download the dataset (Figshare article 1512427, 0.9 GB, CC BY 4.0); cut short, it goes on where it was."""
    from btlib.data.download import BASE_URL
    from btlib.data.download import download as get

    folder = get(out, base_url=base_url or BASE_URL, progress=True)
    print_line(f"The slices are in {folder}. Check them with: btlib data verify {out} --expect 3064")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of slices, or the one that holds their data/.")],
    expect: Annotated[int | None, typer.Option(min=1, help="Slices 1…N must be there, and no others.")] = None,
) -> None:
    """Check every slice of a folder; exit code 1 if any is faulty."""
    from btlib.data.scan import scan

    report = scan(folder, expect, progress=True)
    print_counts("By class", dict(report.classes))
    print_counts("By size", {f"{h}×{w}": count for (h, w), count in sorted(report.sizes.items())})
    print_counts(
        "By patient", {p or "(no id)": c for p, c in sorted(report.patients.items(), key=lambda i: i[0] or "")}
    )
    origins = ", ".join(f"{count} {origin}" for origin, count in report.origins.items())
    print_line(f"{report.n} sound slices ({origins or 'none'}), {len(report.faults)} faults")
    for note in report.notes:
        print_line(f"Note: {note}")
    for fault in report.faults:
        print_line(f"Fault: {fault}")
    if not report.sound:
        raise typer.Exit(1)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for the phantoms; they go into its data/.")],
    slices: Annotated[int, typer.Option(min=1, help="How many.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same phantoms.")] = 0,
) -> None:
    """Draw synthetic slices that stand in for the real ones."""
    from btlib.data.phantom import write_phantoms

    print_line(f"{slices} phantoms are in {write_phantoms(out, slices, seed, progress=True)}")
