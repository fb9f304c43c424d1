"""Frozen settings of a run: the protocol of the measurement, the recipe of the training, and the tiers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from btlib.ranges import COUNT, LOSS, NOT_NEGATIVE, POSITIVE, SHARE, WHOLE, Range, require_fields
from btlib.registry import Registry, unknown_name
from btlib.types import Scaling

Schedule = Literal["constant", "cosine"]
Keep = Literal["last", "best"]
Threshold = Literal["protocol", "validation"]


@dataclass(frozen=True)
class Protocol:
    """Settings that must be equal for two results to be comparable.

    Attributes:
        split: Name of the split (see `btlib.splits`). With the default name, a run on data of another task than the
            built-in ones takes the split that suits the data (`btlib.splits.default_split`).
        image_size: Side of the square input in pixels, from 2.
        scaling: "thesis" (divide by 255), "percentile" (1st to 99th percentile of each channel to 0…1) or "zscore"
            (mean 0, deviation 1 of each channel); a recipe or a case may choose another scaling. With the default, a
            run on data of another task than the built-in ones takes "percentile", which suits every depth.
        threshold: Probability above which a pixel belongs to the mask, 0…1; a recipe may choose a threshold for each
            model on the validation samples instead.
        batch_mean_size: Batch size of the aggregation "batch-mean" (the mean of the batch means), from 1.

    Raises:
        OptionError: A number is out of its range.
    """

    split: str = "slice-seed42"
    image_size: int = 256
    scaling: Scaling = "thesis"
    threshold: float = 0.65
    batch_mean_size: int = 16

    def __post_init__(self) -> None:
        ranges = {"image_size": Range(2, whole=True), "threshold": SHARE, "batch_mean_size": COUNT}
        require_fields(self, ranges, "protocol")


@dataclass(frozen=True)
class Recipe:
    """Training settings that apply to any case. A plug-in may add its own fields in a subclass.

    Attributes:
        name: Name of the recipe.
        epochs: Number of passes over the training samples, from 1.
        batch_size: Number of samples in a training step, from 1.
        learning_rate: Learning rate of the optimiser, above 0.
        schedule: Learning-rate schedule: "constant", or "cosine" (to zero over the run, after one warm-up epoch).
        scaling: Scaling of the images for training and prediction; None takes that of the protocol.
        augment: Whether training samples are augmented at random.
        keep: Stored weights: "last" (of the last epoch) or "best" (of the best epoch on the validation samples).
        threshold: Threshold of the masks: "protocol", or "validation" (with the highest Dice on validation samples).
        quick: Whether a tiny model is enough, because the run only tests that the case works.

    Raises:
        OptionError: A number is out of its range.
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

    def __post_init__(self) -> None:
        ranges = {"epochs": COUNT, "batch_size": COUNT, "learning_rate": POSITIVE}
        require_fields(self, ranges, f"recipe {self.name}")

    def with_epochs(self, epochs: int) -> Self:
        """Return the recipe with another number of epochs; a plug-in scales its own numbers of epochs in proportion."""
        return replace(self, epochs=epochs)

    def identity(self) -> dict[str, Any]:
        """Return all fields that affect the training, as plain JSON values.

        Newer fields are left out if they have their default value, so that models of older versions are still found.
        """
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value != _LATER[name]}


_LATER: dict[str, Any] = {"compiled": False, "quick": False}


@dataclass(frozen=True)
class Tier:
    """Level of the suite: a pytest marker, its settings, and the baseline that results are compared with.

    Attributes:
        name: Name of the tier, which is also the pytest marker.
        protocol: Protocol of the measurements.
        recipe: Recipe of the training.
        baseline: Name of the file in `baselines/`, without `.json`.
        phantom_samples: Number of phantom samples that are used if there are no real samples; 0 for none.
        always_phantom: Whether phantoms are used even if `data_figshare/data` contains real slices, so that results can
            be compared with the baseline on any machine.
        bench_seconds: Duration of one throughput measurement in seconds, 0 or more.
        speed_margin: Share of its ratio to the speed reference that a case may lose, below 1. Timings of small models
            on small machines are in milliseconds and depend on other programs, so they only show a loss of about half.
        precision: Numeric precision: "fp32" gives similar results on different machines; "auto" takes the fastest.
        engine: Engine of the trained models: "auto" takes the fastest, "eager" needs no conversion.
        explain_samples: Number of test samples with occlusion maps, divided among the classes.
        explain_patches: Number of occlusion patches along one side of a sample.
        explain_steps: Number of strides per patch.
        fixed: Whether the protocol and the recipe cannot be chosen by name, because the baseline is for these only.
        preset: Name in `PRESETS` of the protocol that is used if the user names only a recipe.

    Raises:
        OptionError: A number is out of its range.
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

    def __post_init__(self) -> None:
        ranges = {"phantom_samples": WHOLE, "bench_seconds": NOT_NEGATIVE, "speed_margin": LOSS}
        counts = ("explain_samples", "explain_patches", "explain_steps")
        require_fields(self, ranges | dict.fromkeys(counts, COUNT), f"tier {self.name}")


TIERS: Registry[Tier] = Registry("tier", "btlib.protocols")
"""Tiers of the suite by name. Plug-ins add them, because a tier names a baseline and a recipe."""


@dataclass(frozen=True)
class Preset:
    """Protocol and its recipes, which the user chooses with `--bt-protocol` and `--bt-recipe`.

    Attributes:
        protocol: Protocol of the measurements.
        recipes: Recipes by name, the default first; their numbers of epochs suit the protocol.
        baselines: Name of a recipe → name of the baseline for this protocol and recipe.
    """

    protocol: Protocol
    recipes: Mapping[str, Recipe]
    baselines: Mapping[str, str]


PRESETS: Registry[Preset] = Registry("protocol", "btlib.protocols")


def apply_preset(tier: Tier, protocol: str | None, recipe: str | None) -> Tier:
    """Return a tier with a named protocol and recipe, and with the baseline that belongs to both.

    Args:
        tier: Tier whose other settings are used.
        protocol: Name in `PRESETS`; None takes the tier's own preset.
        recipe: Name of one of the protocol's recipes; None takes the first one.

    Raises:
        UnknownNameError: There is no such protocol or recipe.
    """
    protocol = protocol or tier.preset
    preset = PRESETS[protocol]
    recipe = recipe or next(iter(preset.recipes))
    if recipe not in preset.recipes:
        raise unknown_name("recipe", recipe, list(preset.recipes), where=f"protocol {protocol}")
    return replace(tier, protocol=preset.protocol, recipe=preset.recipes[recipe], baseline=preset.baselines[recipe])
