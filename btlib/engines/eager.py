"""Engine that runs PyTorch without compilation: batch norm is folded into the convolutions, with channels last."""

import copy

import torch
from torch import nn

from btlib.adapters.torch import TorchPredictor, torchscript_is_old
from btlib.engines.engine import Subject

with torchscript_is_old():  # this import defines TorchScript classes in torch 2.11
    from torch.fx.experimental import optimization

_FOLDED = ("backbone", "decoder")  # parts that contain the convolutions and can be traced


def build(subject: Subject) -> TorchPredictor:
    """Return a predictor for the folded model."""
    return TorchPredictor(folded(subject), subject.device, subject.precision, subject.outputs)


def folded(subject: Subject) -> nn.Module:
    """Return a copy in channels-last format, with batch norm folded into the convolutions of backbone and decoder.

    If the precision is bf16, the weights of these two parts are bf16. Folding is computed in fp32 before the rounding.
    """
    model = copy.deepcopy(subject.model).eval().to(subject.device)
    for name in _FOLDED:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            lighter = optimization.fuse(part)
            setattr(model, name, lighter.to(torch.bfloat16) if subject.precision == "bf16" else lighter)
    return model.to(memory_format=torch.channels_last)
