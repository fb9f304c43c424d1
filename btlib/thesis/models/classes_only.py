"""The part of a variant that predicts classes. Occlusion maps run it hundreds of times and need no masks."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from btlib.thesis.models.heads import MaskToClasses, SideBySide

if TYPE_CHECKING:
    from btlib.thesis.models.network import TumourModel


class ClassesOnly(nn.Module):
    """Module for the class logits of a variant: encoder and class head, and for F the coarse mask without up-sampling.

    It shares the modules of the variant, under the same names, which engines use to fold batch norm.
    """

    def __init__(self, model: "TumourModel") -> None:
        super().__init__()
        by_mask = isinstance(model.coupling, MaskToClasses)
        self.inputs = model.inputs
        self.backbone = model.backbone
        self.decoder = model.decoder if by_mask else None
        self.coupling = model.coupling if by_mask else SideBySide()
        self.head = model.head

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits [n, classes] of images, float32 [n, channels, h, w]."""
        features = self.backbone(images.expand(-1, self.inputs, -1, -1))
        logits: Tensor = self.coupling(features, self.decoder, self.head)[1]
        return logits
