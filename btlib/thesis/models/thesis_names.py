"""The thesis's checkpoints: its names for our parts, in both directions."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from btlib.errors import CheckpointError
from btlib.thesis.models.network import TumourModel
from btlib.thesis.models.variants import VARIANTS, Variant


def load_thesis_state_dict(variant: str, state_dict: Mapping[str, Any], *, backbone: str = "resnet50") -> TumourModel:
    """A variant with the weights of one of the thesis's checkpoints.

    Args:
        variant: "A" … "G".
        state_dict: The thesis's names → tensors, or a whole Lightning checkpoint that holds them under "state_dict".
        backbone: The thesis's is "resnet50".

    Returns:
        The model in eval mode.

    Raises:
        UnknownNameError: No such variant.
        CheckpointError: Tensors are missing, left over or of another shape; if they fit another variant, it is named.
    """
    row = VARIANTS[variant]
    state = state_dict.get("state_dict", state_dict)
    model = TumourModel(row, backbone)
    ours = _rename(row, state)
    own = model.state_dict()
    faults = [
        *(f"missing {k!r}" for k in own if k not in ours),
        *(f"unexpected {k!r}" for k in ours if k not in own),
        *(
            f"{k!r} has shape {list(ours[k].shape)}, expected {list(own[k].shape)}"
            for k in ours
            if k in own and ours[k].shape != own[k].shape
        ),
    ]
    if faults:
        raise CheckpointError(
            f"not a checkpoint of this variant: {len(faults)} tensors do not fit, such as: {'; '.join(faults[:3])}",
            where=f"variant {variant}",
            hint=_guess(variant, state),
        )
    model.load_state_dict(ours)
    return model.eval()


def to_thesis_state_dict(model: TumourModel) -> dict[str, Tensor]:
    """A model's tensors under the thesis's names."""
    back = {ours: theirs for theirs, ours in model.variant.checkpoint_names.items()}
    return {_swap(key, back) or key: value for key, value in model.state_dict().items()}


def _rename(row: Variant, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The thesis's names in ours; a name that the variant does not have stays, and is reported as unexpected."""
    return {_swap(key, row.checkpoint_names) or f"{key} (the thesis's name)": value for key, value in state.items()}


def _swap(key: str, names: Mapping[str, str]) -> str | None:
    for old, new in names.items():
        if key.startswith(old + "."):
            return new + key[len(old) :]
    return None


def _guess(variant: str, state: Mapping[str, Tensor]) -> str:
    """Name the other variants whose prefixes explain every tensor and are all there."""
    fits = [
        name
        for name in VARIANTS
        if name != variant
        and all(_swap(key, VARIANTS[name].checkpoint_names) for key in state)
        and all(any(key.startswith(old + ".") for key in state) for old in VARIANTS[name].checkpoint_names)
    ]
    if fits:
        return f"its names are those of variant {' or '.join(fits)}; load it as that, or give this variant's own file"
    return "give the file that the thesis wrote for this variant"
