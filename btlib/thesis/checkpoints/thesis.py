"""The checkpoint files of the thesis."""

from pathlib import Path

from btlib.errors import CheckpointError
from btlib.thesis.checkpoints.files import read_payload
from btlib.thesis.models.network import TumourModel
from btlib.thesis.models.thesis_names import load_thesis_state_dict
from btlib.thesis.models.variants import VARIANTS


def load_thesis_checkpoint(variant: str, folder: Path) -> tuple[TumourModel, Path]:
    """Load a checkpoint file of the thesis; return the model and the file's path.

    Args:
        variant: "A" … "G".
        folder: Folder of the thesis's `.ckpt` files under their original names.

    Raises:
        CheckpointError: There is no file or more than one, it cannot be read, or it belongs to another variant.
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
            hint="the file is damaged, or contains Python objects, which btlib does not load: save only its state_dict",
        )
    try:
        model = load_thesis_state_dict(variant, state)
    except CheckpointError as error:
        raise CheckpointError(error.problem, where=found[0], hint=error.hint) from error
    model.drifting_batch_norm = row.frozen_from is not None  # the thesis left C's frozen encoder in train mode
    return model, found[0]
