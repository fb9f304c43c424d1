"""The FLOPs of a PyTorch model, counted without computing anything."""

import copy
from typing import TYPE_CHECKING

from btlib import extras
from btlib.errors import ModelError

if TYPE_CHECKING:
    import torch


def flops_per_image(model: "torch.nn.Module", shape: tuple[int, ...]) -> int:
    """FLOPs of a forward pass over one image; a multiply-add is 2, and only matrix products and convolutions count.

    The model is run in eval mode, as a copy on torch's "meta" device, where tensors have shapes and no values.

    Args:
        model: Any; it is left as it is.
        shape: Of one image as the model takes it, without the batch: [c, h, w].

    Raises:
        MissingExtraError: torch is not installed.
        ModelError: It refuses such an image, or does something that depends on values.
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
