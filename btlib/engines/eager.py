"""PyTorch as it is, but with batch norm folded into the convolutions, channels last, and bf16 weights."""

import copy

import torch
from torch import nn

from btlib.adapters.torch import TorchPredictor, torchscript_is_old
from btlib.engines.engine import Subject

with torchscript_is_old():  # of which torch 2.11 declares classes when this is imported
    from torch.fx.experimental import optimization

_FOLDED = ("backbone", "decoder")  # the parts that hold the convolutions, and that can be traced


def build(subject: Subject) -> TorchPredictor:
    """The folded model behind TorchPredictor."""
    return TorchPredictor(folded(subject), subject.device, subject.precision, subject.outputs)


def folded(subject: Subject) -> nn.Module:
    """A copy whose convolutions have taken up their batch norms, in channels-last, with weights in the precision.

    The sum of weights and batch norms is computed in fp32; only then is it rounded to bf16.
    """
    model = copy.deepcopy(subject.model).eval().to(subject.device)
    for name in _FOLDED:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            lighter = optimization.fuse(part)
            setattr(model, name, lighter.to(torch.bfloat16) if subject.precision == "bf16" else lighter)
    return model.to(memory_format=torch.channels_last)
