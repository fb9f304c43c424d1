"""Protocols under a name, each with the recipes that it is trained by: what `--bt-protocol` and `--bt-recipe` choose.

Their baselines are `baselines/figshare-<protocol>.json` for the thesis's recipe, and
`baselines/figshare-<protocol>-<recipe>.json` for any other. All train from scratch, so that anyone can repeat them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from btlib.protocol import Protocol, Recipe, Tier
from btlib.registry import Registry, unknown_name

THESIS = Recipe(weights="none")
"""The thesis's recipe, but for the pretrained weights."""

MODERN = replace(
    THESIS,
    name="modern",
    epochs=15,
    schedule="cosine",
    scaling="percentile",
    augment=True,
    keep="best",
    threshold="validation",
)
"""The same losses, optimiser and batches with what the field does around them."""


LARGE = replace(MODERN, name="large-batch", batch_size=64, learning_rate=2e-3)
"""Fewer and larger steps, for a GPU that 16 slices do not fill; the learning rate grows with the root of their number
(arXiv 1404.5997)."""


@dataclass(frozen=True)
class Preset:
    """A protocol and its recipes.

    Attributes:
        protocol: How numbers are made.
        recipes: By name; their epochs are what the protocol can afford.
    """

    protocol: Protocol
    recipes: Mapping[str, Recipe]


PRESETS: Registry[Preset] = Registry("protocol")
PRESETS.add("slice42", Preset(Protocol(), {"thesis": THESIS, "modern": MODERN, "large-batch": LARGE}))
PRESETS.add(
    "cpu128",
    Preset(Protocol(image_size=128), {"thesis": replace(THESIS, epochs=4), "modern": replace(MODERN, epochs=8)}),
)

DEFAULT = "slice42"


def apply_preset(tier: Tier, protocol: str | None, recipe: str | None) -> Tier:
    """A tier with a named protocol and recipe, and the baseline that belongs to the two.

    Args:
        tier: Its other settings stay.
        protocol: Name in `PRESETS`; None takes "slice42".
        recipe: Name among the protocol's recipes; None takes "thesis".

    Raises:
        UnknownNameError: No such protocol or recipe.
    """
    protocol, recipe = protocol or DEFAULT, recipe or THESIS.name
    preset = PRESETS[protocol]
    if recipe not in preset.recipes:
        raise unknown_name("recipe", recipe, list(preset.recipes), where=f"protocol {protocol}")
    baseline = f"figshare-{protocol}" + (f"-{recipe}" if recipe != THESIS.name else "")
    return replace(tier, protocol=preset.protocol, recipe=preset.recipes[recipe], baseline=baseline)
