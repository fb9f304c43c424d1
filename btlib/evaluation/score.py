"""Scoring: run a predictor over slices, check all it says, keep every slice's numbers."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation.checks import check_kind, check_ranges, check_shapes
from btlib.evaluation.predictor import Predictor, ask, require_slices
from btlib.evaluation.thresholds import ThresholdCurve, counts_at, threshold_curve
from btlib.metrics import boundary_distances, counts
from btlib.slice_table import BOUNDARY, SliceTable


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The per-slice table of one predictor, and how long predicting took.

    Attributes:
        slices: One row a slice, in the order they were asked for.
        predict_seconds: Time inside `predict`, all batches together.
        masks: Predicted masks of the same slices, eight pixels a byte (`np.packbits` along the width), uint8
            [n, h, ⌈w/8⌉]; None for a model without masks.
        curve: Mean Dice at other thresholds; None for a model without masks.
    """

    slices: SliceTable
    predict_seconds: float
    masks: NDArray[np.uint8] | None = None
    curve: ThresholdCurve | None = None

    @property
    def images_per_second(self) -> float:
        """Slices predicted in a second of `predict`, first batch included."""
        return self.slices.n / self.predict_seconds


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    positions: NDArray[np.int64] | None = None,
    *,
    threshold: float = 0.65,
    batch_size: int = 16,
    where: str = "predictor",
    truth: Dataset | None = None,
) -> Evaluation:
    """Score a predictor on slices of a data set.

    The batch size changes speed only: every slice is scored by itself.

    Args:
        predictor: Gives masks, classes or both; the same of them in every batch. A `SlicePredictor` is told the
            slices' numbers.
        dataset: Preprocessed slices.
        positions: Which slices, 0-based; all by default.
        threshold: A pixel belongs to the mask where its probability is greater, 0…1.
        batch_size: Slices handed to `predict` at once.
        where: Named in error messages.
        truth: The same slices at the size at which masks are scored, where that is not the predictor's own: predicted
            masks are resized to it (bilinear).

    Raises:
        PredictionError: A prediction of the wrong shape, not finite, outside 0…1, with masks in one batch only, or
            an empty mask of a slice without a tumour; before any is scored, that stored predictions lack slices.
    """
    chosen = np.arange(len(dataset)) if positions is None else np.asarray(positions)
    truth = dataset if truth is None else _same_slices(truth, dataset, where)
    if len(chosen) == 0:
        raise PredictionError("no slices to score", where=where, mend="choose at least one slice")
    require_slices(predictor, dataset.numbers[chosen], "test slices")
    overlaps, boundaries, probabilities, seconds = [], [], [], 0.0
    packed, at_thresholds = [], []
    for start in range(0, len(chosen), batch_size):
        at = chosen[start : start + batch_size]
        images = np.ascontiguousarray(dataset.images[at], dtype=np.float32)
        began = time.perf_counter()
        predictions = ask(predictor, dataset.numbers[at], images)
        seconds += time.perf_counter() - began
        check_kind(predictions, where)
        check_shapes(predictions, images.shape, where)
        check_ranges(predictions, where)
        if predictions.mask_prob is not None:
            truths = np.asarray(truth.masks[at])
            mask_prob = _resized(predictions.mask_prob, truths.shape)
            masks = mask_prob > threshold
            packed.append(np.packbits(masks, axis=2))
            at_thresholds.append(counts_at(mask_prob, truths))
            overlaps.append(np.stack(counts(masks, truths)))
            boundaries += [_boundary(*row, where) for row in zip(masks, truths, truth.numbers[at], strict=True)]
        if predictions.class_prob is not None:
            probabilities.append(predictions.class_prob)
    table = _table(truth, chosen, overlaps, boundaries, probabilities, where)
    if not packed:
        return Evaluation(table, seconds)
    curve = threshold_curve(np.concatenate(at_thresholds, axis=1), np.array(table.truth_area))
    return Evaluation(table, seconds, np.concatenate(packed), curve)


def _table(
    dataset: Dataset,
    chosen: NDArray[np.int64],
    overlaps: list[NDArray[np.int64]],
    boundaries: list[tuple[float, ...]],
    probabilities: list[NDArray[np.floating]],
    where: str,
) -> SliceTable:
    """Join the batches; a part that only some batches had is an error, never a shorter table."""
    overlap = np.concatenate(overlaps, axis=1) if overlaps else None
    class_prob = np.concatenate(probabilities) if probabilities else None
    for name, rows in (
        ("masks", None if overlap is None else overlap.shape[1]),
        ("classes", None if class_prob is None else len(class_prob)),
    ):
        if rows is not None and rows != len(chosen):
            raise PredictionError(
                f"gave {name} for {rows} of {len(chosen)} slices",
                where=where,
                mend="give them in every batch or in none",
            )
    return SliceTable(
        number=[int(v) for v in dataset.numbers[chosen]],
        label=[int(v) for v in dataset.labels[chosen]],
        patient=[dataset.patients[i] for i in chosen],
        truth_area=[int(v) for v in dataset.masks[chosen].sum(axis=(1, 2))],
        intersection=None if overlap is None else overlap[0].tolist(),
        pred_area=None if overlap is None else overlap[1].tolist(),
        class_prob=None if class_prob is None else np.round(class_prob.astype(np.float64), 6).tolist(),
        **{name: [row[k] for row in boundaries] or None for k, name in enumerate(BOUNDARY)},
    )


def _same_slices(truth: Dataset, dataset: Dataset, where: str) -> Dataset:
    if not np.array_equal(truth.numbers, dataset.numbers):
        raise PredictionError("its images and the masks it is scored on are of different slices", where=where)
    return truth


def _resized(mask_prob: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.floating]:
    """Probabilities at the size at which they are scored, [n, h, w]; as they are where that is their own."""
    if mask_prob.shape == shape:
        return mask_prob
    import cv2

    size = (shape[2], shape[1])
    masks = [cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for mask in mask_prob]
    return np.stack(masks)


def _boundary(mask: NDArray[np.bool_], truth: NDArray[np.bool_], number: int, where: str) -> tuple[float, ...]:
    """HD95 and surface Dice at 1 and 2 pixels, in the order of `BOUNDARY`, to four decimals."""
    found = boundary_distances(mask, truth)
    if found.undefined:
        raise PredictionError(
            f"slice {number}: the true and the predicted mask are both empty: HD95 and surface Dice have no value",
            where=where,
            mend="leave slices without a tumour out",
        )
    return tuple(round(value, 4) for value in (found.hd95(), found.surface_dice(1.0), found.surface_dice(2.0)))
