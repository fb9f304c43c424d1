"""Table of the thesis's seven variants: their parts, and their names in the thesis's checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from btlib.registry import Registry

Coupling = Literal["none", "logits-to-mask", "embedding-to-mask", "mask-to-classes"]
"""Coupling of the two tasks: none; class logits (E) or class embedding (G) added to the decoder's input features; or
features of the coarse mask as additional input of the class head (F)."""


@dataclass(frozen=True)
class Variant:
    """Row of the table of variants.

    Attributes:
        name: Letter of the variant.
        title: Short description.
        has_mask: Whether it has a decoder.
        has_classes: Whether it has a class head.
        coupling: Coupling of decoder and class head.
        aux_classes: Output channels of the unused auxiliary head; 0 if it has none.
        frozen_from: Variant whose trained encoder and decoder are copied and frozen; None if nothing is frozen.
        checkpoint_names: Prefix in the thesis's `state_dict` → prefix in btlib's model.
        thesis_file: File name of the thesis's checkpoint; None if it is not known.
    """

    name: str
    title: str
    has_mask: bool
    has_classes: bool
    checkpoint_names: Mapping[str, str]
    coupling: Coupling = "none"
    aux_classes: int = 0
    frozen_from: str | None = None
    thesis_file: str | None = None

    @property
    def losses(self) -> tuple[str, ...]:
        """Training losses: "seg", "cls" or both; C's decoder is frozen, so its only loss is "cls"."""
        return ("seg",) * (self.has_mask and self.frozen_from is None) + ("cls",) * self.has_classes


_FCN = {"model.backbone": "backbone", "model.classifier": "decoder", "model.aux_classifier": "aux"}
_HEAD = {"classifier.2": "head.embed", "classifier.5": "head.out"}

VARIANTS: Registry[Variant] = Registry("variant")
for _variant in (
    Variant(
        "A",
        "segmentation only",
        has_mask=True,
        has_classes=False,
        aux_classes=21,
        checkpoint_names=_FCN,
        thesis_file="Model_A_segmentation_only.ckpt",
    ),
    Variant(
        "B",
        "classification only",
        has_mask=False,
        has_classes=True,
        checkpoint_names={"encoder": "backbone", **_HEAD},
        thesis_file="Model_B_classification_only.ckpt",
    ),
    Variant(
        "C",
        "frozen features",
        has_mask=True,
        has_classes=True,
        frozen_from="A",
        checkpoint_names={"encoder": "backbone", "seg_decoder": "decoder", **_HEAD},
        thesis_file="Model_C_intermediate.ckpt",
    ),
    Variant(
        "D",
        "naive joint",
        has_mask=True,
        has_classes=True,
        aux_classes=1,
        checkpoint_names={**_FCN, **_HEAD},
    ),
    Variant(
        "E",
        "project-and-add",
        has_mask=True,
        has_classes=True,
        coupling="logits-to-mask",
        aux_classes=1,
        checkpoint_names={**_FCN, **_HEAD, "cls_proj": "coupling.project"},
        thesis_file="Model_E_Classification_Informed_Segmentation.ckpt",
    ),
    Variant(
        "F",
        "segmentation-informed classification",
        has_mask=True,
        has_classes=True,
        coupling="mask-to-classes",
        aux_classes=1,
        checkpoint_names={**_FCN, **_HEAD, "seg_feature_extractor": "coupling.extract"},
        thesis_file="Model_F_Segmentation_Informed_Classification.ckpt",
    ),
    Variant(
        "G",
        "penultimate-embedding fusion",
        has_mask=True,
        has_classes=True,
        coupling="embedding-to-mask",
        aux_classes=1,
        checkpoint_names={
            **_FCN,
            "cls_feature_extractor.2": "head.embed",
            "cls_final.1": "head.out",
            "cls_proj": "coupling.project",
        },
        thesis_file="Model_G_Modified_Classification_Informed_Segmentation.ckpt",
    ),
):
    VARIANTS.add(_variant.name, _variant)
