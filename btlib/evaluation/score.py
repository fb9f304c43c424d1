"""Scoring: run a predictor over samples, check all it says, keep every sample's numbers."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Samples
from btlib.errors import PredictionError
from btlib.evaluation.checks import check_kind, check_ranges, in_shape
from btlib.evaluation.predictor import Predictor, ask, require_all
from btlib.evaluation.thresholds import ThresholdCurve, counts_at, threshold_curve
from btlib.metrics import boundary_distances, counts
from btlib.sample_table import BOUNDARY, OVERLAP, TRUTH, SampleTable, sample_table


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The table of samples of one predictor, and how long predicting took.

    Attributes:
        samples: One row a sample, in the order they were asked for.
        predict_seconds: Time inside `predict`, all batches together.
        masks: Predicted masks of the same samples, eight pixels a byte (`np.packbits` along the width), uint8
            [n, structures, h, ⌈w/8⌉]; None for a model without masks.
        curve: Mean Dice at other thresholds; None for a model without masks.
    """

    samples: SampleTable
    predict_seconds: float
    masks: NDArray[np.uint8] | None = None
    curve: ThresholdCurve | None = None

    @property
    def images_per_second(self) -> float:
        """Samples predicted in a second of `predict`, first batch included."""
        return self.samples.n / self.predict_seconds


def evaluate(
    predictor: Predictor,
    dataset: Samples,
    positions: NDArray[np.int64] | None = None,
    *,
    threshold: float = 0.65,
    batch_size: int = 16,
    where: str = "predictor",
    truth: Samples | None = None,
) -> Evaluation:
    """Score a predictor on samples of a data set.

    The batch size changes speed only: every sample is scored by itself.

    Args:
        predictor: Gives masks, classes or both; the same of them in every batch. It is given images alone; only
            `SavedPredictions` are looked up by id.
        dataset: Preprocessed samples.
        positions: Which samples, 0-based; all by default.
        threshold: A pixel belongs to the mask where its probability is greater, 0…1.
        batch_size: Samples handed to `predict` at once.
        where: Named in error messages.
        truth: The same samples at the size at which masks are scored, where that is not the predictor's own: predicted
            masks are resized to it (bilinear).

    Raises:
        PredictionError: A prediction of the wrong shape, not finite, outside 0…1, or with masks in one batch only;
            before any is scored, that saved predictions lack samples.
    """
    chosen = np.arange(len(dataset)) if positions is None else np.asarray(positions)
    truth = dataset if truth is None else _same_samples(truth, dataset, where)
    if len(chosen) == 0:
        raise PredictionError("no samples to score", where=where, hint="choose at least one sample")
    require_all(predictor, dataset.ids[chosen], "test samples")
    overlaps, boundaries, probabilities, seconds = [], [], [], 0.0
    packed, at_thresholds = [], []
    for start in range(0, len(chosen), batch_size):
        at = chosen[start : start + batch_size]
        images = np.ascontiguousarray(dataset.images[at], dtype=np.float32)
        shape = images.shape
        began = time.perf_counter()
        predictions = ask(predictor, dataset.ids[at], images)
        seconds += time.perf_counter() - began
        check_kind(predictions, where)
        predictions = in_shape(predictions, shape, dataset.task, where)
        check_ranges(predictions, where)
        if predictions.mask_prob is not None:
            truths = np.asarray(truth.masks[at])
            mask_prob = _resized(predictions.mask_prob, truths.shape)
            masks = mask_prob > threshold
            packed.append(np.packbits(masks, axis=3))
            at_thresholds.append(counts_at(mask_prob, truths))
            overlaps.append(np.stack(counts(masks, truths)))
            boundaries.append(_boundaries(masks, truths))
        if predictions.class_prob is not None:
            probabilities.append(predictions.class_prob)
    table = _table(truth, chosen, overlaps, boundaries, probabilities, where)
    if not packed:
        return Evaluation(table, seconds)
    curve = threshold_curve(np.concatenate(at_thresholds, axis=1), table.truth_area)
    return Evaluation(table, seconds, np.concatenate(packed), curve)


def _table(
    truth: Samples,
    chosen: NDArray[np.int64],
    overlaps: list[NDArray[np.int64]],
    boundaries: list[NDArray[np.float64]],
    probabilities: list[NDArray[np.floating]],
    where: str,
) -> SampleTable:
    """Join the batches; a part that only some batches had is an error, never a shorter table."""
    overlap = np.concatenate(overlaps, axis=1) if overlaps else None
    class_prob = np.concatenate(probabilities) if probabilities else None
    for name, rows in (
        ("masks", None if overlap is None else overlap.shape[1]),
        ("classes", None if class_prob is None else len(class_prob)),
    ):
        if rows is not None and rows != len(chosen):
            raise PredictionError(
                f"gave {name} for {rows} of {len(chosen)} samples",
                where=where,
                hint="give them in every batch or in none",
            )
    measures = {TRUTH: truth.masks[chosen].sum(axis=(2, 3))}
    if overlap is not None:
        measures |= dict(zip(OVERLAP, overlap, strict=False))
        measures |= dict(zip(BOUNDARY, np.concatenate(boundaries, axis=1), strict=True))
    return sample_table(
        truth.task,
        [str(name) for name in truth.ids[chosen]],
        [truth.patients[i] for i in chosen],
        labels=None if truth.labels is None else truth.labels[chosen],
        volumes=None if truth.volumes is None else [truth.volumes[i] for i in chosen],
        measures=measures,
        class_prob=None if class_prob is None else np.round(class_prob.astype(np.float64), 6),
    )


def _same_samples(truth: Samples, dataset: Samples, where: str) -> Samples:
    if not np.array_equal(truth.ids, dataset.ids):
        raise PredictionError("its images and the masks it is scored on are of different samples", where=where)
    return truth


def _resized(mask_prob: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.floating]:
    """Probabilities at the size at which they are scored, [n, k, h, w]; as they are where that is their own."""
    if mask_prob.shape == shape:
        return mask_prob
    import cv2

    size = (shape[3], shape[2])
    planes = mask_prob.reshape(-1, *mask_prob.shape[2:])
    resized = [cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for plane in planes]
    return np.stack(resized).reshape(shape)


def _boundaries(masks: NDArray[np.bool_], truths: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The measures of `BOUNDARY` to four decimals, float64 [3, n, k]; NaN where both masks are empty."""
    found = np.empty((len(BOUNDARY), *masks.shape[:2]))
    for i, k in np.ndindex(masks.shape[:2]):
        distances = boundary_distances(masks[i, k], truths[i, k])
        values = (distances.hd95(), distances.surface_dice(1.0), distances.surface_dice(2.0))
        found[:, i, k] = [round(value, 4) for value in values]
    return found
