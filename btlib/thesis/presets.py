"""The thesis's tiers, and its named protocols with their recipes. All presets train from scratch, so they need no
downloaded weights.

Their baselines are `baselines/figshare-<protocol>.json` for the thesis's recipe, and
`baselines/figshare-<protocol>-<recipe>.json` for any other. The stored C of the thesis's recipe has frozen batch norm
(`--bt-batch-norm frozen`); the recipe itself has drifting batch norm, as the thesis had.
"""

from collections.abc import Mapping
from dataclasses import replace

from btlib.protocol import PRESETS, TIERS, Preset, Protocol, Tier
from btlib.thesis.recipe import ThesisRecipe

THESIS = ThesisRecipe(weights="none")
"""The thesis's recipe without pretrained weights."""

MODERN = replace(
    THESIS,
    name="modern",
    epochs=15,
    schedule="cosine",
    scaling="percentile",
    augment=True,
    keep="best",
    threshold="validation",
    drifting_batch_norm=False,
)
"""The same losses, optimiser and batches, with augmentation, a cosine schedule, percentile scaling, the best epoch, a
threshold chosen on validation samples, and frozen batch norm in C."""


LARGE = replace(MODERN, name="large-batch", batch_size=64, learning_rate=2e-3)
"""Fewer and larger steps, for a GPU that batches of 16 slices do not use fully; the learning rate grows with the square
root of the batch size (arXiv 1404.5997)."""


def _preset(name: str, protocol: Protocol, recipes: Mapping[str, ThesisRecipe]) -> None:
    suffix = {recipe: "" if recipe == THESIS.name else f"-{recipe}" for recipe in recipes}
    PRESETS.add(name, Preset(protocol, recipes, {recipe: f"figshare-{name}{suffix[recipe]}" for recipe in recipes}))


_preset("slice42", Protocol(), {"thesis": THESIS, "modern": MODERN, "large-batch": LARGE})
_preset("cpu128", Protocol(image_size=128), {"thesis": replace(THESIS, epochs=4), "modern": replace(MODERN, epochs=8)})
_preset("patient5", Protocol(split="patient-5fold"), {"modern": MODERN, "thesis": THESIS})

TIERS.add(
    "smoke",
    Tier(
        name="smoke",
        protocol=Protocol(image_size=64),
        recipe=ThesisRecipe(
            name="smoke",
            backbone="tiny",
            weights="none",
            epochs=12,
            head_epochs=60,
            batch_size=16,
            learning_rate=4e-3,
            schedule="cosine",
            quick=True,
            drifting_batch_norm=False,  # so C's head is trained on stored features, in a second
        ),
        baseline="smoke",
        phantom_samples=240,
        always_phantom=True,
        bench_seconds=0.15,
        speed_margin=0.5,
        precision="fp32",
        engine="eager",
        explain_samples=3,
        explain_patches=6,
        explain_steps=2,
        fixed=True,
    ),
)
TIERS.add(
    "full",
    Tier(
        name="full",
        protocol=Protocol(),
        recipe=ThesisRecipe(),
        baseline="thesis",
        phantom_samples=240,
        always_phantom=False,
        bench_seconds=8.0,
        speed_margin=0.25,
        preset="slice42",
    ),
)
