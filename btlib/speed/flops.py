"""FLOPs of a PyTorch model, counted without running the computation."""

import copy
from typing import TYPE_CHECKING

from btlib import extras
from btlib.errors import ModelError

if TYPE_CHECKING:
    import torch


def flops_per_image(model: "torch.nn.Module", shape: tuple[int, ...]) -> int:
    """Count the FLOPs of a forward pass over one image.

    A multiply-add counts as 2. Only matrix products and convolutions are counted. A copy of the model runs in eval mode
    on torch's "meta" device, where tensors have shapes but no values.

    Args:
        model: Any PyTorch model; it is not changed.
        shape: Shape of one image as the model takes it, without the batch axis: [c, h, w].

    Raises:
        MissingExtraError: torch is not installed.
        ModelError: The model does not accept such an image, or its operations depend on values.
    """
    with extras.named():
        import torch
        from torch.utils.flop_counter import FlopCounterMode

    shadow = copy.deepcopy(model).to("meta").eval()
    try:
        with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
            shadow(torch.empty(1, *shape))
    except Exception as error:  # a model may fail in any way
        raise ModelError(f"its FLOPs cannot be counted: {type(error).__name__}: {error}", where="flops") from error
    return int(counter.get_total_flops())
