"""`btlib explain`: where does a case look when it names the class?"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from btlib.cli.arguments import Checkpoints, Reports
from btlib.cli.output import print_line


def explain(
    case: Annotated[str, typer.Argument(metavar="CASE", help="A … G as trained, a known case, or FILE.py::NAME.")],
    samples: Annotated[
        str,
        typer.Option(
            "--samples", "--slices", help="Ids (7,12), 'worst', 'worst N' or 'N per class' of the test samples."
        ),
    ] = "3 per class",
    patch: Annotated[
        int | None, typer.Option(min=1, help="Side of the patch in pixels; else 1/8 of the sample's.")
    ] = None,
    stride: Annotated[int | None, typer.Option(min=1, help="In pixels; else 1/4 of the patch.")] = None,
    fill: Annotated[Literal["zero", "mean", "blur"], typer.Option(help="What a patch is hidden with.")] = "zero",
    sanity: Annotated[
        int, typer.Option(min=0, metavar="DRAWS", help="Draw random weights, layer by layer: do the maps change?")
    ] = 0,
    engine: Annotated[str | None, typer.Option(help="What runs the model; else the fastest.")] = None,
    precision: Annotated[Literal["auto", "fp32", "bf16"] | None, typer.Option(help="fp32, bf16 or auto.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(metavar="FILE", help="Which trained model, of several.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Samples; else the phantoms of the smoke tier.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which samples are test samples.")] = "slice-seed42",
    *,
    out: Reports,
    checkpoints: Checkpoints,
) -> None:
    """Map what hiding each part of a sample does to the probability of its true class, and measure the maps."""
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
