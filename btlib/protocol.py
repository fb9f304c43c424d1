"""The frozen settings of a run: how numbers are made comparable, how a model is trained, and the two tiers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from btlib.registry import Registry, unknown_name
from btlib.types import Scaling

Schedule = Literal["constant", "cosine"]
Keep = Literal["last", "best"]
Threshold = Literal["protocol", "validation"]


@dataclass(frozen=True)
class Protocol:
    """What must agree for two measured numbers to be comparable.

    Attributes:
        split: Name of the split (see `btlib.splits`).
        image_size: Side of the square input in pixels.
        scaling: "thesis" (divide by 255) or "percentile" (1st to 99th percentile of the sample to 0…1); a recipe or a
            case may ask for another.
        threshold: A pixel belongs to the mask where its probability is greater than this, 0…1; a recipe may let each
            model choose its own on the validation samples instead.
        batch_mean_size: Batch size of the aggregation "batch-mean" (the mean of the means of batches).
    """

    split: str = "slice-seed42"
    image_size: int = 256
    scaling: Scaling = "thesis"
    threshold: float = 0.65
    batch_mean_size: int = 16


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, as far as any case may follow it. A plug-in may add fields of its own in a subclass.

    Attributes:
        name: Name of the recipe.
        epochs: Passes over the training samples.
        batch_size: Samples in a training step.
        learning_rate: Of the optimiser.
        schedule: "constant", or "cosine" (to zero over the run, after one warm-up epoch).
        scaling: Of the images it trains on and predicts from; None takes the protocol's.
        augment: Vary training samples at random.
        keep: "last": the last epoch's weights; "best": those of the epoch that is best on the validation samples.
        threshold: "protocol", or "validation": where Dice on the validation samples is highest.
        quick: A tiny model is enough: the numbers show that a case works, and not how good it is.
    """

    name: str = "default"
    epochs: int = 10
    batch_size: int = 16
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"
    scaling: Scaling | None = None
    augment: bool = False
    keep: Keep = "last"
    threshold: Threshold = "protocol"
    quick: bool = False

    def with_epochs(self, epochs: int) -> Self:
        """The same with another number of epochs; a plug-in's own numbers of epochs follow in proportion."""
        return replace(self, epochs=epochs)

    def identity(self) -> dict[str, Any]:
        """All that decides what is trained, as plain JSON values.

        What was added after models had been stored is left out at its default, so that they are still found.
        """
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value != _LATER[name]}


_LATER: dict[str, Any] = {"compiled": False, "quick": False}


@dataclass(frozen=True)
class Tier:
    """One level of the suite: a marker, its settings and the baseline it is held against.

    Attributes:
        name: The pytest marker.
        protocol: How its numbers are made.
        recipe: How its cases are trained.
        baseline: Name of the file in `baselines/`, without `.json`.
        phantom_samples: How many phantom samples stand in where there are no real ones.
        always_phantom: Use phantoms even where real slices lie in `data_figshare/data`, so that the numbers can be held
            against a baseline anywhere.
        bench_seconds: Time spent on one throughput figure, in seconds.
        speed_margin: The share of its ratio to the speed reference that a case may lose. Small models on small machines
            are timed in milliseconds beside whatever else runs there, and tell no more than halves.
        precision: "fp32" keeps the numbers of different machines close; "auto" takes the fastest.
        engine: What runs the trained models: "auto" takes the fastest, "eager" needs no conversion.
        explain_samples: Test samples whose occlusion maps are made, shared among the tumour types.
        explain_patches: How many of their patches stand side by side in a sample.
        explain_steps: Strides in a patch.
        fixed: Its protocol and recipe cannot be chosen by name, for its baseline is of these alone.
        preset: Name in `PRESETS` of the protocol that is meant where the user names a recipe alone.
    """

    name: str
    protocol: Protocol
    recipe: Recipe
    baseline: str
    phantom_samples: int
    always_phantom: bool
    bench_seconds: float
    speed_margin: float
    precision: str = "auto"
    engine: str = "auto"
    explain_samples: int = 9
    explain_patches: int = 8
    explain_steps: int = 4
    fixed: bool = False
    preset: str = ""


TIERS: Registry[Tier] = Registry("tier", "btlib.protocols")
"""The levels of the suite; plug-ins bring them, for a level names a baseline and a recipe."""


@dataclass(frozen=True)
class Preset:
    """A protocol under a name, and its recipes: what `--bt-protocol` and `--bt-recipe` choose.

    Attributes:
        protocol: How numbers are made.
        recipes: By name, the default first; their epochs are what the protocol can afford.
        baselines: Name of a recipe → name of the baseline that belongs to the two.
    """

    protocol: Protocol
    recipes: Mapping[str, Recipe]
    baselines: Mapping[str, str]


PRESETS: Registry[Preset] = Registry("protocol", "btlib.protocols")


def apply_preset(tier: Tier, protocol: str | None, recipe: str | None) -> Tier:
    """A tier with a named protocol and recipe, and the baseline that belongs to the two.

    Args:
        tier: Its other settings stay.
        protocol: Name in `PRESETS`; None takes the tier's own preset.
        recipe: Name among the protocol's recipes; None takes its first.

    Raises:
        UnknownNameError: No such protocol or recipe.
    """
    protocol = protocol or tier.preset
    preset = PRESETS[protocol]
    recipe = recipe or next(iter(preset.recipes))
    if recipe not in preset.recipes:
        raise unknown_name("recipe", recipe, list(preset.recipes), where=f"protocol {protocol}")
    return replace(tier, protocol=preset.protocol, recipe=preset.recipes[recipe], baseline=preset.baselines[recipe])
