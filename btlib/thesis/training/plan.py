"""Training plan: variant, recipe and samples. Its fingerprint decides whether a stored model can be used."""

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
    """Complete specification of one training.

    Attributes:
        variant: Letter of the variant.
        recipe: Training recipe; `weights` is already resolved ("coco", "imagenet" or "none").
        train: Training samples.
        val: Validation samples; may be empty.
        data: Fingerprint of the complete data set.
        split: Fingerprint of the split.
        protocol: Protocol, used for the threshold of the validation scores.
        seed: Seed of initialisation, order and dropout.
        precision: Requested precision; "auto" depends on the device, but the fingerprint does not.
        starts_from: Fingerprint of the model whose encoder and decoder are copied; None except for C.
        threads: Number of threads of a deterministic (bit-identical) training; None otherwise.
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
        """Number of passes over the training samples."""
        return self.recipe.head_epochs or self.recipe.epochs if self.row.frozen_from else self.recipe.epochs

    @property
    def head_only(self) -> bool:
        """Whether only the class head is trained, so that its input features are computed once."""
        return self.row.frozen_from is not None and not self.recipe.drifting_batch_norm

    @property
    def compiled(self) -> bool:
        """Whether the training step is compiled; False if only the head is trained on features."""
        return self.recipe.compiled and not self.head_only

    def ingredients(self) -> dict[str, Any]:
        """Return everything that determines the trained weights, as plain JSON values."""
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
        """Fingerprint of the trained model."""
        return fingerprint.of(self.ingredients())


@functools.cache  # computed once: an edit during a training does not change the running code
def code_fingerprint() -> str:
    """Return the fingerprint of the code that determines the trained weights."""
    rooms = [path for room in ("models", "training") for path in (_THESIS / room).glob("*.py")]
    precision = [_BTLIB / "speed" / "ieee.py", *(_BTLIB / "adapters" / name for name in ("devices.py", "compiling.py"))]
    return fingerprint.of_sources([*rooms, *precision, _BTLIB / "metrics" / "overlap.py"])  # its Dice selects the epoch
