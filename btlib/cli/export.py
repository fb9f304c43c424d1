"""`btlib export`: a trained variant as a file for other runtimes, once it has shown that it says the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from btlib.cli.arguments import Checkpoints
from btlib.cli.output import print_line

if TYPE_CHECKING:
    from btlib.data.dataset import Dataset
    from btlib.types import Scaling

_PHANTOMS = 40
_SLICES = 8


def export(
    variant: Annotated[str, typer.Argument(help="A … G.")],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    to: Annotated[Literal["onnx"], typer.Option(help="Format of the file.")] = "onnx",
    checkpoint: Annotated[Path | None, typer.Option(metavar="FILE", help="Which trained model, of several.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Slices to compare on, of their test split; else phantoms.")
    ] = None,
    *,
    checkpoints: Checkpoints,
) -> None:
    """Write a trained variant as an ONNX file; without parity on slices there is no file, and exit code 2."""
    from btlib import extras
    from btlib.models.variants import VARIANTS

    VARIANTS[variant]  # an unknown name is told before anything is loaded
    with extras.named():
        from btlib.adapters.export import export_onnx
        from btlib.adapters.torch import TorchPredictor
        from btlib.checkpoints import find_stored, load_stored
    stored = load_stored(checkpoint or find_stored(checkpoints, variant), variant)
    ingredients = stored.manifest["ingredients"]
    print_line(f"{stored.path}: trained {stored.manifest['created']}, recipe {ingredients['recipe']['name']}")
    slices = _test_slices(ingredients["image_size"], ingredients["scaling"], data)
    parity = export_onnx(TorchPredictor(stored.model, "cpu"), out, slices.images, slices.masks)
    dice = "" if parity.dice is None else f", Dice of a slice by at most {parity.dice:.1e}"
    print_line(
        f"{out}: on {parity.slices} {slices.origin} slices of {slices.image_size} px probabilities differ by at most "
        f"{parity.probabilities:.1e}{dice}"
    )


def _test_slices(image_size: int, scaling: "Scaling", data: Path | None) -> "Dataset":
    """A few slices of the thesis's test split."""
    from btlib.data import load_dataset, phantom_folder
    from btlib.data.cache import cache_root
    from btlib.splits import make_split

    dataset = load_dataset(data or phantom_folder(cache_root() / "phantoms", _PHANTOMS), image_size, scaling)
    return dataset.subset(make_split("slice-seed42", dataset).test[:_SLICES])
