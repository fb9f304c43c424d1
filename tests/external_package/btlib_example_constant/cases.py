"""Registers a case when btlib imports it by its entry point: says of every sample what is true of most."""

import numpy as np
from numpy.typing import NDArray

from btlib.cases import Prepared, Work, case
from btlib.types import Predictions


class Constant:
    """The mean masks of the training samples, and how often each class occurs among them."""

    def __init__(self, mask: NDArray[np.floating], shares: NDArray[np.floating]) -> None:
        self.mask = mask
        self.shares = shares

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """The same for every image [n, channels, h, w]."""
        return Predictions(np.tile(self.mask, (len(images), 1, 1, 1)), np.tile(self.shares, (len(images), 1)))


@case("constant", "the same for every sample", has_mask=True, has_classes=True, image_size=64)
def prepare(work: Work) -> Prepared:
    """Nothing is trained: two means. `--bt-modesty` mixes equal shares in."""
    counts = np.bincount(work.train.strata, minlength=len(work.task.classes))
    modesty = (work.options.get("modesty") or 0) / 100
    shares = (1 - modesty) * counts / counts.sum() + modesty / len(counts)
    return Prepared(Constant(work.train.masks.mean(axis=0), shares), "given", details={"modesty": modesty})
