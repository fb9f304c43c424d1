"""`btlib explain`: show which parts of a sample a case uses to predict the class."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from btlib.cli.arguments import Checkpoints, Reports
from btlib.cli.output import print_line


def explain(
    case: Annotated[
        str, typer.Argument(metavar="CASE", help="A … G (trained models), another known case, or FILE.py::NAME.")
    ],
    samples: Annotated[
        str,
        typer.Option(
            "--samples", "--slices", help="Ids (7,12), 'worst', 'worst N' or 'N per class' of the test samples."
        ),
    ] = "3 per class",
    patch: Annotated[
        int | None, typer.Option(min=1, help="Side of the patch in pixels; default: 1/8 of the sample's side.")
    ] = None,
    stride: Annotated[int | None, typer.Option(min=1, help="Stride in pixels; default: 1/4 of the patch.")] = None,
    fill: Annotated[Literal["zero", "mean", "blur"], typer.Option(help="Fill of the hidden patch.")] = "zero",
    sanity: Annotated[
        int,
        typer.Option(
            min=0, metavar="DRAWS", help="Sanity check: randomise the weights layer by layer and compare the maps."
        ),
    ] = 0,
    engine: Annotated[str | None, typer.Option(help="Engine that runs the model; default: the fastest.")] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None, typer.Option(help="Precision: fp32, bf16 or auto.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trained model to use, if there are several.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of samples; default: the phantoms of the smoke tier.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split that selects the test samples; default: as for a run on these data.")
    ] = None,
    *,
    out: Reports,
    checkpoints: Checkpoints,
) -> None:
    """Map how hiding each part of a sample changes the probability of its true class, and measure the maps."""
    from btlib.explain.find import Where, find
    from btlib.explain.place import ExplainPlace
    from btlib.explain.select import select
    from btlib.explain.table import sanity_lines, tables
    from btlib.reporting.explanation import draw
    from btlib.reporting.text import PHANTOM_NOTE

    study = find(case, Where(data, split, checkpoints, checkpoint, engine, precision, print_line))
    study = study.with_settings(patch, stride, fill)
    at = select(samples, study.dataset, study.split, study.sure)
    place = ExplainPlace(out)
    explained, maps = study.run(at, place, sanity=sanity)
    draw(explained, maps, study.dataset, place.file(study.case, "svg"))
    if explained.task.synthetic:
        print_line(PHANTOM_NOTE)
    print_line(f"\n{tables(explained.summary)}\n")
    for line in [] if explained.sanity is None else [*sanity_lines(explained.sanity), ""]:
        print_line(line)
    for suffix in ("json", "csv", "npz", "svg"):
        print_line(str(place.file(study.case, suffix)))
