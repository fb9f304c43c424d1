"""The thesis's recipe: the settings of any case, and additional ones for the training of variants A–G."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from btlib.errors import OptionError
from btlib.protocol import Recipe
from btlib.ranges import COUNT, NOT_NEGATIVE, require_fields
from btlib.thesis.models.variants import VARIANTS


@dataclass(frozen=True)
class ThesisRecipe(Recipe):
    """Training recipe of a variant; the defaults are the thesis's recipe.

    `augment` rotates, mirrors, scales and shifts training slices, changes their gamma and adds noise
    (`btlib.thesis.training.augment`), except if a head is trained on stored features (C). `keep="best"` selects the
    epoch with the highest mean of Dice and accuracy on the validation slices.

    Attributes:
        name: Name of the recipe.
        backbone: Name in `btlib.models`' backbone registry.
        weights: "auto" (COCO if available, else from scratch with a note), "coco", "imagenet" or "none".
        head_epochs: Number of epochs if encoder and decoder are frozen (C); None: `epochs`.
        seg_weight: Weight of the segmentation loss in a joint variant, 0 or more.
        cls_weight: Weight of the classification loss in a joint variant, 0 or more; not both are 0.
        drifting_batch_norm: Batch norm of C's frozen encoder while the head trains. True, as in the thesis: train mode,
            so that batches are normalised by their own statistics and the running statistics follow the training
            samples. False: eval mode, so that the encoder stays as in A. It has no effect on the other variants.
        compiled: Compile the training step with `torch.compile`; without effect if a head is trained on features.

    Raises:
        OptionError: A number is out of its range.
    """

    name: str = "thesis"
    backbone: str = "resnet50"
    weights: str = "auto"
    head_epochs: int | None = None
    seg_weight: float = 0.85
    cls_weight: float = 0.15
    drifting_batch_norm: bool = True
    compiled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        ranges = {"head_epochs": COUNT, "seg_weight": NOT_NEGATIVE, "cls_weight": NOT_NEGATIVE}
        require_fields(self, ranges, f"recipe {self.name}")
        if self.seg_weight == self.cls_weight == 0:
            raise OptionError(
                "seg_weight and cls_weight are 0: there is no loss",
                where=f"recipe {self.name}",
                hint="give one of them a weight above 0",
            )

    def with_epochs(self, epochs: int) -> Self:
        """Return the recipe with another number of epochs; `head_epochs` changes in proportion."""
        head = None if self.head_epochs is None else max(1, self.head_epochs * epochs // self.epochs)
        return replace(self, epochs=epochs, head_epochs=head)


def thesis_recipe(recipe: Recipe) -> ThesisRecipe:
    """Add the thesis's fields to a recipe: their defaults, or the tiny backbone from scratch if the recipe is quick."""
    if isinstance(recipe, ThesisRecipe):
        return recipe
    common: dict[str, Any] = {field.name: getattr(recipe, field.name) for field in fields(Recipe)}
    own: dict[str, Any] = {"backbone": "tiny", "weights": "none"} if recipe.quick else {}
    return ThesisRecipe(**common, **own)


def recipe_of_variant(variant: str, recipe: ThesisRecipe) -> ThesisRecipe:
    """Return the recipe as a variant uses it: without drifting batch norm if the variant has no frozen encoder.

    So a model of such a variant is found in the store, whatever batch norm C has.
    """
    frozen = VARIANTS[variant].frozen_from is not None
    return replace(recipe, drifting_batch_norm=recipe.drifting_batch_norm and frozen)


def batch_norm(variant: str, recipe: Mapping[str, Any]) -> str:
    """Return the batch norm of a stored model's frozen encoder, "drifting" or "frozen"; "" without a frozen encoder.

    Args:
        variant: Letter of the variant.
        recipe: Recipe as plain JSON values. Without the field `drifting_batch_norm`, batch norm was frozen.
    """
    if VARIANTS[variant].frozen_from is None:
        return ""
    return "drifting" if recipe.get("drifting_batch_norm") else "frozen"
