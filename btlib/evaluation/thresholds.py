"""Dice at other thresholds, computed during scoring, while the probabilities are available."""

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
    """Mean Dice over samples at each threshold.

    It is for information only: a threshold chosen on test samples gives results that are too optimistic.

    Attributes:
        thresholds: Thresholds in ascending order, 0…1.
        dice: Mean Dice over samples and structures at each threshold, 0…1.
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
    """Count the pixels of the intersection and of the predicted mask at every threshold of `GRID`.

    Args:
        mask_prob: Mask probabilities [n, structures, h, w], 0…1.
        truth: True masks, bool of the same shape.

    Returns:
        Intersection and predicted area, int64 [2, n, structures, 19]. As in scoring, a pixel belongs to the mask if its
        probability is greater than the threshold, compared in the precision of `mask_prob`.
    """
    grid = np.array(GRID, dtype=np.result_type(mask_prob, np.float16))
    planes = mask_prob.shape[:2]
    pixels = mask_prob.shape[2] * mask_prob.shape[3]
    above = np.searchsorted(grid, mask_prob.reshape(-1, pixels), side="left")  # number of thresholds below it
    found = np.empty((2, len(above), len(GRID)), dtype=np.int64)
    for i, (row, mask) in enumerate(zip(above, truth.reshape(-1, pixels), strict=True)):
        for k, chosen in enumerate((row[mask], row)):
            found[k, i] = np.bincount(chosen, minlength=len(GRID) + 1)[:0:-1].cumsum()[::-1]
    return found.reshape(2, *planes, len(GRID))


def threshold_curve(counts: NDArray[np.int64], truth_area: NDArray[np.int64]) -> ThresholdCurve:
    """Compute the mean Dice at each threshold.

    Args:
        counts: Intersection and predicted area, int64 [2, n, structures, 19], see `counts_at`.
        truth_area: Pixels of the true masks, int64 [n, structures].
    """
    dice = dice_from_counts(counts[0], counts[1], np.broadcast_to(truth_area[..., None], counts[0].shape))
    mean = dice.reshape(-1, len(GRID)).mean(axis=0)
    return ThresholdCurve(thresholds=list(GRID), dice=[round(float(v), 6) for v in mean])


def best_threshold(predictor: Predictor, samples: Samples, *, where: str = "predictor") -> float:
    """Return the threshold of `GRID` with the highest mean Dice over samples; the lowest one if several are equal.

    Arguments and errors are those of `curve_of`.
    """
    return GRID[int(np.argmax(curve_of(predictor, samples, where=where).dice))]


def curve_of(predictor: Predictor, samples: Samples, *, where: str = "predictor") -> ThresholdCurve:
    """Compute the mean Dice over samples at each threshold of `GRID`.

    Args:
        predictor: Model that predicts masks of the samples' size.
        samples: Validation samples (`work.val`). Do not use test samples: results would be too optimistic.
        where: Name of the predictor in error messages.

    Raises:
        PredictionError: There are no samples, saved predictions lack some of them, or masks are missing, have the wrong
            shape, or have values that are not finite or outside 0…1.
    """
    if len(samples) == 0:
        raise PredictionError(
            "there are no validation samples to choose a threshold on", where=where, hint="use more samples"
        )
    require_all(predictor, samples.ids, "validation samples")
    counts = []
    for start in range(0, len(samples), _BATCH):
        at = slice(start, start + _BATCH)
        images = np.array(samples.images[at], dtype=np.float32, order="C")  # a copy: the predictor may write to it
        predictions = ask(predictor, samples.ids[at], images)
        check_kind(predictions, where)
        predictions = in_shape(predictions, images.shape, samples.task, where)
        check_ranges(predictions, where)
        if predictions.mask_prob is None:
            raise PredictionError(
                "returned no masks, so no threshold can be chosen",
                where=where,
                hint="choose a threshold only for models with masks",
            )
        counts.append(counts_at(predictions.mask_prob, np.asarray(samples.masks[at])))
    areas = np.asarray(samples.masks).sum(axis=(2, 3))
    return threshold_curve(np.concatenate(counts, axis=1), areas)
