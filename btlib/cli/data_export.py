"""`btlib data export`: write samples and their split for nnU-Net or MONAI."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from btlib.cli.output import print_line


def export_folder(
    form: Annotated[Literal["nnunet", "monai"], typer.Argument(metavar="nnunet|monai", help="Format to write.")],
    data: Annotated[Path, typer.Argument(help="Folder of the samples.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it is new or empty.")],
    split: Annotated[str, typer.Option(metavar="NAME", help="Split, such as official or patient-5fold-1.")],
) -> None:
    """Write samples in their own size and their split, so that nnU-Net or MONAI trains on the same samples."""
    from btlib.data.exports.exporting import export
    from btlib.data.load import load_dataset, open_source
    from btlib.splits.make import make_split, require_split

    require_split(split)
    source = open_source(data)
    dataset = load_dataset(source, scaling="percentile", progress=True)
    made = make_split(split, dataset)
    parts = {"train": made.train.tolist(), "val": made.val.tolist(), "test": made.test.tolist()}
    done = export(form, source, dataset, parts, out, progress=True)
    counts = ", ".join(f"{n} {part}" for part, n in done.counts.items())
    print_line(f"{counts} cases of the split {split} are in {done.folder}; cases.csv names the samples")
    if done.left_out:
        print_line(f"Note: {done.left_out} samples are in no part of the split and were left out")
    if form == "nnunet":
        print_line("Copy splits_final.json to the folder of the data set in nnUNet_preprocessed, and train fold 0")
