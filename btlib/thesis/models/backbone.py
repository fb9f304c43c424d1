"""Encoders: from images to features at 1/8 of the input's resolution."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models import resnet

from btlib.registry import Registry

RGB = 3
"""Input channels of the thesis's encoders and of all pretrained weights."""


def inputs_for(channels: int) -> int:
    """Return the number of input channels of an encoder for images of a task.

    A single channel is repeated three times, as in the thesis, so pretrained weights fit. Any other number of channels
    is used as it is.
    """
    return RGB if channels == 1 else channels


@dataclass(frozen=True)
class Backbone:
    """Specification of an encoder.

    Attributes:
        build: Builds the module for a number of input channels, float32 [n, inputs, h, w] → [n, channels, ceil(h/8),
            ceil(w/8)].
        channels: Number of channels of its features.
        aux_channels: Number of input channels of an auxiliary head, one stage earlier.
        pretrained: Stem of torchvision's names for its weights ("resnet50"); None if there are no such weights.
    """

    build: Callable[[int], nn.Module]
    channels: int
    aux_channels: int
    pretrained: str | None = None


def _dilated_resnet(depth: str, inputs: int = RGB) -> nn.Module:
    """Build a torchvision ResNet without its classifier; dilation in the last two stages keeps 1/8 resolution.

    The names of its children are unchanged, so torchvision's weights and the thesis's checkpoints fit. For another
    number of input channels the first convolution is replaced, with the same initialisation.
    """
    network = resnet.__dict__[depth](weights=None, replace_stride_with_dilation=[False, True, True])
    if inputs != RGB:
        network.conv1 = nn.Conv2d(inputs, network.conv1.out_channels, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(OrderedDict(list(network.named_children())[:-2]))


def _block(channels_in: int, channels_out: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


class TinyBackbone(nn.Module):
    """Encoder of five convolutions and 0.3 million parameters, for smoke runs and tests only.

    Args:
        inputs: Number of input channels.
    """

    def __init__(self, inputs: int = RGB) -> None:
        super().__init__()
        self.down = nn.Sequential(_block(inputs, 24, stride=2), _block(24, 48, stride=2), _block(48, 96, stride=2))
        self.widen = _block(96, 128, dilation=2)
        self.context = _block(128, 128, dilation=4)

    def forward(self, images: Tensor) -> Tensor:
        """Return features [n, 128, ceil(h/8), ceil(w/8)]."""
        features: Tensor = self.widen(self.down(images))
        wide: Tensor = self.context(features)
        return torch.add(features, wide)


BACKBONES: Registry[Backbone] = Registry("backbone")
BACKBONES.add("resnet50", Backbone(partial(_dilated_resnet, "resnet50"), 2048, 1024, pretrained="resnet50"))
BACKBONES.add("resnet101", Backbone(partial(_dilated_resnet, "resnet101"), 2048, 1024, pretrained="resnet101"))
BACKBONES.add("tiny", Backbone(TinyBackbone, channels=128, aux_channels=96))
