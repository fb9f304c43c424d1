"""The frozen settings of a run: how numbers are made comparable, how a model is trained, and the two tiers."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from btlib.registry import Registry
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
        scaling: "thesis" (divide by 255) or "percentile" (1st to 99th percentile of the slice to 0…1); a recipe or a
            case may ask for another.
        threshold: A pixel belongs to the mask where its probability is greater than this, 0…1; a recipe may let each
            model choose its own on the validation slices instead.
        batch_mean_size: Batch size of the aggregation "batch-mean" (the mean of batch means in the thesis's README).
    """

    split: str = "slice-seed42"
    image_size: int = 256
    scaling: Scaling = "thesis"
    threshold: float = 0.65
    batch_mean_size: int = 16


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained; the defaults are the thesis's recipe.

    Attributes:
        name: Name of the recipe.
        backbone: Name in `btlib.models`' backbone registry.
        weights: "auto" (COCO where it can be had, else from scratch with a note), "coco", "imagenet" or "none".
        epochs: Passes over the training slices.
        head_epochs: The same where encoder and decoder are frozen and only the class head learns; None takes `epochs`.
        batch_size: Slices in a training step.
        learning_rate: Adam's learning rate.
        schedule: "constant" (the thesis) or "cosine" (to zero over the run, after one warm-up epoch).
        seg_weight: Weight of the segmentation loss in a joint variant.
        cls_weight: Weight of the classification loss in a joint variant.
        drifting_batch_norm: Let the frozen encoder's running statistics move while C's head trains, as the thesis did.
        scaling: Of the images it trains on and predicts from; None takes the protocol's.
        augment: Turn, mirror, stretch, shift, brighten and roughen training slices (`btlib.training.augment`);
            not where a head learns from features computed once (C).
        keep: "last" (the thesis): the last epoch's weights; "best": those of the epoch with the highest mean of Dice
            and accuracy on the validation slices.
        threshold: "protocol" (the thesis), or "validation": where Dice on the validation slices is highest.
        compiled: Compile the training step with `torch.compile`; not where a head learns from features.
    """

    name: str = "thesis"
    backbone: str = "resnet50"
    weights: str = "auto"
    epochs: int = 10
    head_epochs: int | None = None
    batch_size: int = 16
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"
    seg_weight: float = 0.85
    cls_weight: float = 0.15
    drifting_batch_norm: bool = False
    scaling: Scaling | None = None
    augment: bool = False
    keep: Keep = "last"
    threshold: Threshold = "protocol"
    compiled: bool = False

    def identity(self) -> dict[str, Any]:
        """All that decides what is trained, as plain JSON values.

        What was added after models had been stored is left out at its default, so that they are still found.
        """
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value != _LATER[name]}


_LATER: dict[str, Any] = {"compiled": False}


@dataclass(frozen=True)
class Tier:
    """One level of the suite: a marker, its settings and the baseline it is held against.

    Attributes:
        name: The pytest marker.
        protocol: How its numbers are made.
        recipe: How its cases are trained.
        baseline: Name of the file in `baselines/`, without `.json`.
        phantom_slices: How many phantom slices stand in where there are no real ones.
        always_phantom: Use phantoms even where real slices lie in `data_figshare/data`, so that the numbers can be held
            against a baseline anywhere.
        bench_seconds: Time spent on one throughput figure, in seconds.
        speed_margin: The share of its ratio to the thesis path that a case may lose. Small models on small machines are
            timed in milliseconds beside whatever else runs there, and tell no more than halves.
        precision: "fp32" keeps the numbers of different machines close; "auto" takes the fastest.
        engine: What runs the trained models: "auto" takes the fastest, "eager" needs no conversion.
        explain_slices: Test slices whose occlusion maps are made, shared among the tumour types.
        explain_patches: How many of their patches stand side by side in a slice.
        explain_steps: Strides in a patch.
        fixed: Its protocol and recipe cannot be chosen by name, for its baseline is of these alone.
    """

    name: str
    protocol: Protocol
    recipe: Recipe
    baseline: str
    phantom_slices: int
    always_phantom: bool
    bench_seconds: float
    speed_margin: float
    precision: str = "auto"
    engine: str = "auto"
    explain_slices: int = 9
    explain_patches: int = 8
    explain_steps: int = 4
    fixed: bool = False


TIERS: Registry[Tier] = Registry("tier")
TIERS.add(
    "smoke",
    Tier(
        name="smoke",
        protocol=Protocol(image_size=96),
        recipe=Recipe(
            name="smoke",
            backbone="tiny",
            weights="none",
            epochs=12,
            head_epochs=120,
            batch_size=8,
            learning_rate=3e-3,
            schedule="cosine",
        ),
        baseline="smoke",
        phantom_slices=240,
        always_phantom=True,
        bench_seconds=0.5,
        speed_margin=0.5,
        precision="fp32",
        engine="eager",
        explain_slices=3,
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
        recipe=Recipe(),
        baseline="thesis",
        phantom_slices=240,
        always_phantom=False,
        bench_seconds=8.0,
        speed_margin=0.25,
    ),
)
