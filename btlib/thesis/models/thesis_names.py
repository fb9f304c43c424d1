"""Conversion of tensor names between the thesis's checkpoints and btlib's models, in both directions."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from btlib.errors import CheckpointError
from btlib.thesis.models.network import TumourModel
from btlib.thesis.models.variants import VARIANTS, Variant


def load_thesis_state_dict(variant: str, state_dict: Mapping[str, Any], *, backbone: str = "resnet50") -> TumourModel:
    """Build a variant with the weights of a checkpoint of the thesis.

    Args:
        variant: "A" … "G".
        state_dict: The thesis's names → tensors, or a complete Lightning checkpoint with them under "state_dict".
        backbone: Name of the backbone; the thesis has "resnet50".

    Returns:
        The model in eval mode.

    Raises:
        UnknownNameError: No such variant.
        CheckpointError: Tensors are missing, unexpected or of another shape; the hint names a variant that fits.
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
    """Return a model's tensors under the thesis's names."""
    back = {ours: theirs for theirs, ours in model.variant.checkpoint_names.items()}
    return {_swap(key, back) or key: value for key, value in model.state_dict().items()}


def _rename(row: Variant, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace the thesis's names by btlib's; an unknown name is marked, and reported as unexpected."""
    return {_swap(key, row.checkpoint_names) or f"{key} (the thesis's name)": value for key, value in state.items()}


def _swap(key: str, names: Mapping[str, str]) -> str | None:
    for old, new in names.items():
        if key.startswith(old + "."):
            return new + key[len(old) :]
    return None


def _guess(variant: str, state: Mapping[str, Tensor]) -> str:
    """Return a hint that names the other variants whose prefixes match all tensors."""
    fits = [
        name
        for name in VARIANTS
        if name != variant
        and all(_swap(key, VARIANTS[name].checkpoint_names) for key in state)
        and all(any(key.startswith(old + ".") for key in state) for old in VARIANTS[name].checkpoint_names)
    ]
    if fits:
        return f"its tensor names are those of variant {' or '.join(fits)}; load it as that, or use another file"
    return "use the thesis's checkpoint file of this variant"
