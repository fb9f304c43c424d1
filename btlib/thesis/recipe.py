"""The thesis's recipe: what its variants are trained by, beside what any case may follow."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from btlib.protocol import Recipe


@dataclass(frozen=True)
class ThesisRecipe(Recipe):
    """How a variant is trained; the defaults are the thesis's recipe.

    `augment` turns, mirrors, stretches, shifts, brightens and roughens training slices
    (`btlib.thesis.training.augment`), but not where a head learns from features computed once (C). `keep="best"` keeps
    the epoch with the highest mean of Dice and accuracy on the validation slices.

    Attributes:
        name: Name of the recipe.
        backbone: Name in `btlib.models`' backbone registry.
        weights: "auto" (COCO where it can be had, else from scratch with a note), "coco", "imagenet" or "none".
        head_epochs: Epochs where encoder and decoder are frozen and only the class head learns; None takes `epochs`.
        seg_weight: Weight of the segmentation loss in a joint variant.
        cls_weight: Weight of the classification loss in a joint variant.
        drifting_batch_norm: Let the frozen encoder's running statistics move while C's head trains, as the thesis did.
        compiled: Compile the training step with `torch.compile`; not where a head learns from features.
    """

    name: str = "thesis"
    backbone: str = "resnet50"
    weights: str = "auto"
    head_epochs: int | None = None
    seg_weight: float = 0.85
    cls_weight: float = 0.15
    drifting_batch_norm: bool = False
    compiled: bool = False

    def with_epochs(self, epochs: int) -> Self:
        """The same with another number of epochs; those of a head that learns alone follow in proportion."""
        head = None if self.head_epochs is None else max(1, self.head_epochs * epochs // self.epochs)
        return replace(self, epochs=epochs, head_epochs=head)


def thesis_recipe(recipe: Recipe) -> ThesisRecipe:
    """A recipe with the thesis's own fields: at their defaults, or tiny and from scratch where it is quick."""
    if isinstance(recipe, ThesisRecipe):
        return recipe
    common: dict[str, Any] = {field.name: getattr(recipe, field.name) for field in fields(Recipe)}
    own: dict[str, Any] = {"backbone": "tiny", "weights": "none"} if recipe.quick else {}
    return ThesisRecipe(**common, **own)
