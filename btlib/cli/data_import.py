"""`btlib data import`: write a folder with `metadata.csv` from images in a common layout."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from btlib.cli.output import one_line, print_line


def _layouts() -> str:
    """Help that lists the layouts of the registry."""
    from btlib.data.layouts.importing import LAYOUTS

    listed = "\n\n".join(f"{name}: {LAYOUTS[name].summary}" for name in LAYOUTS)
    return f"Write a folder with metadata.csv from images in a common layout.\n\nLayouts:\n\n{listed}"


class ImportCommand(TyperCommand):
    """Command whose help lists the layouts, which are imported only for the help. The types are those of click."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.help = _layouts()
        super().format_help(ctx, formatter)


def import_folder(
    layout: Annotated[str, typer.Argument(help="Name of the layout.")],
    source: Annotated[Path, typer.Argument(help="Folder of the data, which is only read.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it is new or empty.")],
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the files; by default metadata.csv refers to them.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the task.")] = None,
    patient: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Patient of a file: folder, file, or a regular expression for its path."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="RULE", help="Class of a file: folder, or a regular expression for its path.")
    ] = None,
    images: Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder of the images in SOURCE.")] = None,
    masks: Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder of the masks in SOURCE.")] = None,
    channels: Annotated[
        str, typer.Option(metavar="NAME,NAME…", help="Channels by which the files of an image differ: 1_flair, 1_t1.")
    ] = "",
    structures: Annotated[
        str, typer.Option(metavar="NAME,NAME…", help="Structures, in the order of the values of the masks.")
    ] = "",
    mask_threshold: Annotated[
        int | None,
        typer.Option(min=1, help="Lowest value of the structure in masks of many values, such as JPEG files."),
    ] = None,
    blank_mask: Annotated[
        Literal["empty", "unlabelled"] | None,
        typer.Option(help="Meaning of an image without a mask: nothing to segment, or left out."),
    ] = None,
    axis: Annotated[int | None, typer.Option(min=0, max=2, help="Axis of the slices of volumes.")] = None,
    slices: Annotated[
        str, typer.Option(metavar="RULE", help="Slices of volumes: all, mask (with a structure) or every:N.")
    ] = "all",
    ignore_label: Annotated[
        Literal["background", "leave-out"] | None,
        typer.Option(help="Treatment of nnU-Net's ignore label, or of the samples that contain it."),
    ] = None,
    recognise: Annotated[
        bool, typer.Option(help="Recognise slices of the Figshare data set, for their classes and patients.")
    ] = True,
) -> None:
    """Write a folder with metadata.csv from images in a common layout."""
    from btlib.data.layouts.importing import Options
    from btlib.data.layouts.importing import import_folder as run

    options = Options(
        name=name,
        patient=patient,
        label=label,
        images=images,
        masks=masks,
        channels=_names(channels),
        structures=_names(structures),
        mask_threshold=mask_threshold,
        blank_mask=blank_mask,
        axis=axis,
        slices=slices,
        ignore_label=ignore_label,
        recognise=recognise,
    )
    done = run(layout, source, out, options, copy=copy)
    for note in done.notes:
        print_line(f"Note: {one_line(note)}")
    print_line(f"{done.n} samples are described in {done.folder}.")
    _show_next(done.folder)


def _show_next(folder: Path) -> None:
    """Print the next commands; first what is missing for them."""
    from btlib.data.load import open_source

    source = open_source(folder)
    name, samples = shlex.quote(str(folder)), source.samples()
    on = f"--data {name}"
    unknown = sum(sample.patient is None for sample in samples)
    if unknown and source.official_split() is None and not source.task.independent:
        print_line(
            f"A run needs the patients: they are unknown for {unknown} samples, so that no split can be made. Import "
            "again with --patient RULE; or, if all samples are independent of each other, write independent = true "
            f"into {folder / 'task.toml'}"
        )
    print_line("Next:")
    print_line(f"  {f'btlib init {on}':<47} # write mine.py, an example of a case for these data")
    print_line(f"  {f'btlib run mine.py::mine {on}':<47} # first numbers")


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))
