"""What Dice would have been at other thresholds, gathered while the probabilities are still there."""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from btlib.data.dataset import Samples
from btlib.errors import PredictionError
from btlib.evaluation.checks import check_kind, check_ranges, in_shape
from btlib.evaluation.predictor import Predictor, ask, require_all
from btlib.metrics import dice_from_counts

GRID = tuple(k / 20 for k in range(1, 20))
"""Thresholds of the curve: 0.05, 0.10 … 0.95."""

_BATCH = 16

_Share = Annotated[float, Field(ge=0, le=1)]


class ThresholdCurve(BaseModel):
    """Mean Dice over samples at each threshold. For reading only: a threshold chosen on test samples flatters.

    Attributes:
        thresholds: Rising.
        dice: Mean over samples and structures at each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    thresholds: Annotated[list[_Share], Field(min_length=1)]
    dice: list[_Share]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.thresholds) != len(self.dice):
            raise ValueError(f"expected {len(self.thresholds)} values of Dice, got {len(self.dice)}")
        return self


def counts_at(mask_prob: NDArray[np.floating], truth: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels in both masks, and in the predicted one, at every threshold of `GRID`.

    Args:
        mask_prob: Probabilities [n, structures, h, w], 0…1.
        truth: True masks, bool of the same shape.

    Returns:
        int64 [2, n, structures, 19]. A pixel counts where its probability is greater than the threshold, both in the
        precision of `mask_prob`, as in scoring.
    """
    grid = np.array(GRID, dtype=np.result_type(mask_prob, np.float16))
    planes = mask_prob.shape[:2]
    pixels = mask_prob.shape[2] * mask_prob.shape[3]
    above = np.searchsorted(grid, mask_prob.reshape(-1, pixels), side="left")  # how many it is greater than
    found = np.empty((2, len(above), len(GRID)), dtype=np.int64)
    for i, (row, mask) in enumerate(zip(above, truth.reshape(-1, pixels), strict=True)):
        for k, chosen in enumerate((row[mask], row)):
            found[k, i] = np.bincount(chosen, minlength=len(GRID) + 1)[:0:-1].cumsum()[::-1]
    return found.reshape(2, *planes, len(GRID))


def threshold_curve(counts: NDArray[np.int64], truth_area: NDArray[np.int64]) -> ThresholdCurve:
    """Counts [2, n, structures, 19] and pixels of the true masks [n, structures] → mean Dice at each threshold."""
    dice = dice_from_counts(counts[0], counts[1], np.broadcast_to(truth_area[..., None], counts[0].shape))
    mean = dice.reshape(-1, len(GRID)).mean(axis=0)
    return ThresholdCurve(thresholds=list(GRID), dice=[round(float(v), 6) for v in mean])


def best_threshold(predictor: Predictor, samples: Samples, *, where: str = "predictor") -> float:
    """The threshold of `GRID` with the highest mean Dice over samples; the lowest of equal ones.

    Arguments and errors are those of `curve_of`.
    """
    return GRID[int(np.argmax(curve_of(predictor, samples, where=where).dice))]


def curve_of(predictor: Predictor, samples: Samples, *, where: str = "predictor") -> ThresholdCurve:
    """Mean Dice over samples at each threshold of `GRID`.

    Args:
        predictor: Gives masks of the samples' own size.
        samples: Validation samples (`work.val`); on test samples the choice would flatter.
        where: Named in error messages.

    Raises:
        PredictionError: No samples, saved predictions that lack some of them, no masks, or masks of the wrong shape,
            not finite or outside 0…1.
    """
    if len(samples) == 0:
        raise PredictionError("no validation samples to choose a threshold on", where=where, hint="use more samples")
    require_all(predictor, samples.ids, "validation samples")
    counts = []
    for start in range(0, len(samples), _BATCH):
        at = slice(start, start + _BATCH)
        images = np.array(samples.images[at], dtype=np.float32, order="C")  # a copy, which may be written into
        said = ask(predictor, samples.ids[at], images)
        check_kind(said, where)
        said = in_shape(said, images.shape, samples.task, where)
        check_ranges(said, where)
        if said.mask_prob is None:
            raise PredictionError("gave no masks to choose a threshold for", where=where, hint="choose none for it")
        counts.append(counts_at(said.mask_prob, np.asarray(samples.masks[at])))
    areas = np.asarray(samples.masks).sum(axis=(2, 3))
    return threshold_curve(np.concatenate(counts, axis=1), areas)
