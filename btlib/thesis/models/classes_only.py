"""A variant cut down to what its classes need: a map of a class asks 842 times, and never for a mask."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from btlib.thesis.models.heads import MaskToClasses, SideBySide

if TYPE_CHECKING:
    from btlib.thesis.models.network import TumourModel


class ClassesOnly(nn.Module):
    """A variant's class logits: its encoder and class head, and for F the coarse mask, which is not up-sampled.

    It shares the variant's parts. Those that engines fold have the names by which they are folded.
    """

    def __init__(self, model: "TumourModel") -> None:
        super().__init__()
        by_mask = isinstance(model.coupling, MaskToClasses)
        self.backbone = model.backbone
        self.decoder = model.decoder if by_mask else None
        self.coupling = model.coupling if by_mask else SideBySide()
        self.head = model.head

    def forward(self, images: Tensor) -> Tensor:
        """Class logits [n, classes] of images, float32 [n, 1 or 3, h, w]."""
        features = self.backbone(images.expand(-1, 3, -1, -1))
        logits: Tensor = self.coupling(features, self.decoder, self.head)[1]
        return logits
