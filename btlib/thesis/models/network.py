"""One module for all variants: backbone, decoder, class head and coupling, built from the table of variants."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.segmentation.fcn import FCNHead

from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import ModelError
from btlib.thesis.models.backbone import BACKBONES, RGB, Backbone, inputs_for
from btlib.thesis.models.heads import ClassHead, MaskToClasses, ProjectAndAdd, SideBySide
from btlib.thesis.models.variants import Variant

MIN_SIDE = 16
"""Smallest input side in pixels: F halves the features at 1/8 resolution once more."""


class ModelOutput(NamedTuple):
    """Output of every variant; a part that the variant does not have is None.

    Attributes:
        mask_logits: [n, structures, h, w], up-sampled bilinearly to the input's size.
        mask_prob: [n, structures, h, w], 0…1. Sigmoid of `mask_logits`; C up-samples the probabilities instead.
        class_logits: [n, classes].
    """

    mask_logits: Tensor | None
    mask_prob: Tensor | None
    class_logits: Tensor | None


class TumourModel(nn.Module):
    """Untrained model of a variant.

    Args:
        variant: Row of the variant in the table.
        backbone: Name in `BACKBONES`.
        drifting_batch_norm: For a frozen variant, leave the encoder's batch norm in train mode, as in the thesis.
        task: Task with the classes, structures and channels.

    Raises:
        ModelError: The task has no classes, or no structures, and the variant needs them.
    """

    def __init__(
        self,
        variant: Variant,
        backbone: str = "resnet50",
        *,
        drifting_batch_norm: bool = False,
        task: Task = FIGSHARE,
    ) -> None:
        super().__init__()
        _require_parts(variant, task)
        spec = BACKBONES[backbone]
        hidden = spec.channels // 4
        self.variant = variant
        self.backbone_name = backbone
        self.drifting_batch_norm = drifting_batch_norm
        self.inputs = inputs_for(len(task.channels))
        self.backbone = spec.build(self.inputs)
        self.decoder = FCNHead(spec.channels, len(task.structures)) if variant.has_mask else None
        self.aux = FCNHead(spec.aux_channels, variant.aux_classes) if variant.aux_classes else None
        self.coupling = _coupling(variant, spec, hidden, task)
        width = spec.channels + (MaskToClasses.CHANNELS if variant.coupling == "mask-to-classes" else 0)
        self.head = ClassHead(width, hidden, len(task.classes)) if variant.has_classes else None
        for part in self._frozen():
            part.requires_grad_(False)
        self.train()  # Lightning does not call it before training, so the modes of frozen parts are set here

    def _frozen(self) -> list[nn.Module]:
        return [m for m in (self.backbone, self.decoder) if m is not None] if self.variant.frozen_from else []

    def train(self, mode: bool = True) -> "TumourModel":
        """Set the mode like `nn.Module.train`; frozen parts stay in eval mode, except a drifting encoder."""
        super().train(mode)
        for part in self._frozen():
            part.train(mode and self.drifting_batch_norm and part is self.backbone)
        return self

    def classes_only(self) -> nn.Module | None:
        """Return only encoder and class head, a module for class logits [n, classes]; None if it has no classes."""
        from btlib.thesis.models.classes_only import ClassesOnly

        return None if self.head is None else ClassesOnly(self)

    def encode(self, images: Tensor) -> Tensor:
        """Return the features [n, c, h/8, w/8] of images [n, channels, h, w]; a single channel is repeated."""
        features: Tensor = self.backbone(images.expand(-1, self.inputs, -1, -1))
        return features

    def forward(self, images: Tensor) -> ModelOutput:
        """Predict masks and classes.

        Args:
            images: float32 [n, channels, h, w], scaled by the protocol, h and w of at least 16, with the channels of
                the task. A model for one or three channels takes both: one channel is repeated.

        Raises:
            ModelError: The images have another shape.
        """
        taken = (1, RGB) if self.inputs == RGB else (self.inputs,)
        if images.ndim != 4 or images.shape[1] not in taken or min(images.shape[2:]) < MIN_SIDE:
            raise ModelError(
                f"expected images [n, {' or '.join(map(str, taken))}, h, w] with h and w of at least {MIN_SIDE}, got "
                f"{list(images.shape)}",
                where=f"variant {self.variant.name}",
                hint="train the variant on a task with these channels, or choose another --bt-image-size",
            )
        features = self.encode(images)
        coarse, class_logits = self.coupling(features, self.decoder, self.head)
        if coarse is None:
            return ModelOutput(None, None, class_logits)
        size = images.shape[-2:]
        logits = _upsample(coarse, size)
        frozen = self.variant.frozen_from is not None
        return ModelOutput(
            logits, _upsample(torch.sigmoid(coarse.float()), size) if frozen else logits.sigmoid(), class_logits
        )


def _require_parts(variant: Variant, task: Task) -> None:
    """Raise an error if the variant predicts classes or masks that the task does not have."""
    for needed, there, name in (
        (variant.has_classes, task.classes, "classes"),
        (variant.has_mask, task.structures, "structures"),
    ):
        if needed and not there:
            raise ModelError(
                f"needs {name}, and the task {task.name!r} has none",
                where=f"variant {variant.name}",
                hint="use another variant: A needs structures, B needs classes, C to G need both",
            )


def _upsample(coarse: Tensor, size: torch.Size) -> Tensor:
    """Up-sample bilinearly to the input's size, in float32 also under autocast, because masks are thresholded."""
    return functional.interpolate(coarse.float(), size=size, mode="bilinear", align_corners=False)


def _coupling(variant: Variant, spec: Backbone, hidden: int, task: Task) -> nn.Module:
    match variant.coupling:
        case "none":
            return SideBySide()
        case "logits-to-mask":
            return ProjectAndAdd("logits", len(task.classes), spec.channels)
        case "embedding-to-mask":
            return ProjectAndAdd("embedding", hidden, spec.channels)
        case "mask-to-classes":
            return MaskToClasses(len(task.structures))
