"""The thesis's own checkpoint files."""

from pathlib import Path

from btlib.errors import CheckpointError
from btlib.thesis.checkpoints.files import read_payload
from btlib.thesis.models.network import TumourModel
from btlib.thesis.models.thesis_names import load_thesis_state_dict
from btlib.thesis.models.variants import VARIANTS


def load_thesis_checkpoint(variant: str, folder: Path) -> tuple[TumourModel, Path]:
    """One of the thesis's own checkpoint files.

    Args:
        variant: "A" … "G".
        folder: Holds the thesis's `.ckpt` files under their own names.

    Raises:
        CheckpointError: No file, several, one that cannot be read, or one of another variant.
    """
    row = VARIANTS[variant]
    pattern = row.thesis_file or f"Model_{variant}_*.ckpt"
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise CheckpointError(
            f"expected one file {pattern}, found {len(found)}",
            where=folder,
            hint=f"put the thesis's checkpoint of variant {variant} there, or leave out --bt-thesis-checkpoints",
        )
    state = read_payload(found[0])
    if state is None:
        raise CheckpointError(
            "cannot be read as a file of plain tensors",
            where=found[0],
            hint="it is damaged, or holds Python objects, which are never run: save its state_dict alone",
        )
    try:
        return load_thesis_state_dict(variant, state), found[0]
    except CheckpointError as error:
        raise CheckpointError(error.problem, where=found[0], hint=error.hint) from error
