"""`btlib export`: export a trained variant for other runtimes, and compare its predictions with the original's."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from btlib.cli.arguments import Checkpoints
from btlib.cli.output import print_line

if TYPE_CHECKING:
    from btlib.data.dataset import Dataset
    from btlib.data.task import Task
    from btlib.types import Scaling

_PHANTOMS = 40
_SAMPLES = 8


def export(
    variant: Annotated[str, typer.Argument(help="A … G.")],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    to: Annotated[Literal["onnx"], typer.Option(help="Format of the file.")] = "onnx",
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Checkpoint to export, if there are several.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Data for the comparison (its test samples); else phantoms."),
    ] = None,
    *,
    checkpoints: Checkpoints,
) -> None:
    """Export a trained variant to ONNX; if its predictions differ from the model's: no file, exit code 2."""
    from btlib import extras
    from btlib.thesis.models.variants import VARIANTS

    VARIANTS[variant]  # raises the error for an unknown name before anything is loaded
    with extras.named():
        from btlib.adapters.export import export_onnx
        from btlib.adapters.outputs import NAMED
        from btlib.adapters.torch import TorchPredictor
        from btlib.thesis.checkpoints import find_stored, load_stored, recipe_text
    stored = load_stored(checkpoint or find_stored(checkpoints, variant), variant)
    ingredients = stored.manifest["ingredients"]
    recipe = recipe_text(variant, ingredients["recipe"])
    print_line(f"{stored.path}: trained {stored.manifest['created']}, recipe {recipe}")
    samples = _test_samples(stored.task, ingredients["image_size"], ingredients["scaling"], data)
    outputs = replace(NAMED, structures=max(len(stored.task.structures), 1))
    parity = export_onnx(TorchPredictor(stored.model, "cpu", outputs=outputs), out, samples.images, samples.masks)
    dice = "" if parity.dice is None else f", Dice of a sample by at most {parity.dice:.1e}"
    print_line(
        f"{out}: on {parity.samples} {samples.task.name} samples of {samples.image_size} px probabilities differ by at "
        f"most {parity.probabilities:.1e}{dice}"
    )


def _test_samples(task: "Task", image_size: int, scaling: "Scaling", data: Path | None) -> "Dataset":
    """Return a few test samples of the thesis's split; phantoms if no data set is given."""
    from btlib.data import load_dataset, phantom_folder
    from btlib.data.cache import cache_root
    from btlib.data.source import DatasetSource
    from btlib.data.sources.phantom.source import PhantomSource
    from btlib.data.sources.tasks import BUILT_IN
    from btlib.splits import make_split

    source: DatasetSource | Path
    if data is not None:
        source = data
    elif task.name in BUILT_IN:
        source = phantom_folder(cache_root() / "phantoms", _PHANTOMS)
    else:
        source = PhantomSource(task.model_copy(update={"synthetic": True}), _PHANTOMS)
    dataset = load_dataset(source, image_size, scaling)
    return dataset.subset(make_split("slice-seed42", dataset).test[:_SAMPLES])
