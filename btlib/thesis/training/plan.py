"""What is trained: a variant, a recipe, and slices. Its identity decides whether a stored model may be used."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from btlib import fingerprint
from btlib.data.cache import PREPROCESSING
from btlib.data.dataset import Samples
from btlib.protocol import Protocol
from btlib.thesis.models.variants import VARIANTS, Variant
from btlib.thesis.recipe import ThesisRecipe

_THESIS = Path(__file__).parents[1]
_BTLIB = _THESIS.parent


@dataclass(frozen=True, eq=False)
class Plan:
    """One training, settled in every point.

    Attributes:
        variant: Letter of the variant.
        recipe: How to train; `weights` is already settled ("coco", "imagenet" or "none").
        train: The training samples.
        val: The validation samples; there may be none.
        data: Identity of the whole data set.
        split: Identity of the split.
        protocol: For the threshold of the validation scores.
        seed: Seed of initialisation, order and dropout.
        precision: As asked for; "auto" leaves it to the device, and a model trained on one device serves on another.
        starts_from: Fingerprint of the model whose encoder and decoder it takes over; None for all but C.
        threads: Number of threads of a training that is to be the same to the bit; None of one that need not be.
    """

    variant: str
    recipe: ThesisRecipe
    train: Samples
    val: Samples
    data: str
    split: str
    protocol: Protocol
    seed: int
    precision: str = "auto"
    starts_from: str | None = None
    threads: int | None = None

    @property
    def row(self) -> Variant:
        """The variant's row in the table."""
        return VARIANTS[self.variant]

    @property
    def epochs(self) -> int:
        """Passes over the training samples."""
        return self.recipe.head_epochs or self.recipe.epochs if self.row.frozen_from else self.recipe.epochs

    @property
    def head_only(self) -> bool:
        """Whether nothing but the class head changes: its inputs are then computed once."""
        return self.row.frozen_from is not None and not self.recipe.drifting_batch_norm

    @property
    def compiled(self) -> bool:
        """Whether its step is compiled; a head that learns from features has nothing to compile."""
        return self.recipe.compiled and not self.head_only

    def ingredients(self) -> dict[str, Any]:
        """All that decides which weights come out, as plain JSON values."""
        return {
            "variant": self.variant,
            "recipe": self.recipe.identity(),
            "task": self.train.task.shape,
            "data": self.data,
            "split": self.split,
            "image_size": self.train.image_size,
            "scaling": self.train.scaling,
            "seed": self.seed,
            "precision": self.precision,
            "starts_from": self.starts_from,
            "preprocessing": PREPROCESSING,
            "threshold": self.protocol.threshold if self.recipe.keep == "best" else None,
            "code": code_fingerprint(),
            **({} if self.threads is None else {"deterministic": self.threads}),
        }

    @property
    def fingerprint(self) -> str:
        """Identity of the model that comes out."""
        return fingerprint.of(self.ingredients())


@functools.cache  # as it was when first asked: what is edited during a training is not what ran
def code_fingerprint() -> str:
    """Identity of the code that decides which weights come out."""
    rooms = [path for room in ("models", "training") for path in (_THESIS / room).glob("*.py")]
    precision = [_BTLIB / "speed" / "ieee.py", *(_BTLIB / "adapters" / name for name in ("devices.py", "compiling.py"))]
    return fingerprint.of_sources([*rooms, *precision, _BTLIB / "metrics" / "overlap.py"])  # which chooses the epoch
