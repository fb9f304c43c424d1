"""A model cut down to what its classes need: a map of a class asks 842 times, and never for a mask."""

from dataclasses import replace

from torch import Tensor, nn

from btlib import fingerprint
from btlib.adapters.outputs import Outputs
from btlib.engines import Subject
from btlib.errors import ModelError
from btlib.models.heads import MaskToClasses, SideBySide
from btlib.models.network import TumourModel
from btlib.models.variants import VARIANTS


class ClassesOnly(nn.Module):
    """A variant's class logits: its encoder and class head, and for F the coarse mask, which is not up-sampled.

    It shares the variant's parts. Those that engines fold have the names by which they are folded.
    """

    def __init__(self, model: TumourModel) -> None:
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


def classes_only(subject: Subject) -> Subject:
    """The same model without its mask. Of a model that is no variant, the whole is run and only its classes are read.

    Raises:
        ModelError: It has no classes.
    """
    model, outputs = subject.model, subject.outputs
    where = f"variant {model.variant.name}" if isinstance(model, TumourModel) else "occlusion"
    if outputs.classes is None or (isinstance(model, TumourModel) and model.head is None):
        raise ModelError(
            "has no classes: there is no probability of a tumour type to explain",
            where=where,
            mend=f"explain a variant that has: {', '.join(name for name in VARIANTS if VARIANTS[name].has_classes)}",
        )
    smaller = replace(
        subject,
        outputs=replace(outputs, mask=None),
        identity=None if subject.identity is None else fingerprint.of("classes only", subject.identity),
    )
    if not isinstance(model, TumourModel):
        return smaller
    return replace(smaller, model=ClassesOnly(model).eval(), outputs=Outputs(classes=0))
