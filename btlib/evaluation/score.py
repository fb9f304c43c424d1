"""Scoring: predict samples, check the predictions and compute the numbers of every sample."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset, Samples
from btlib.errors import PredictionError
from btlib.evaluation.checks import check_kind, check_ranges, in_shape
from btlib.evaluation.millimetres import in_millimetres
from btlib.evaluation.predictor import Predictor, ask, require_all, require_known
from btlib.evaluation.resizing import resized
from btlib.evaluation.thresholds import ThresholdCurve, counts_at, threshold_curve
from btlib.metrics import boundary_distances, counts
from btlib.ranges import COUNT, SHARE
from btlib.sample_table import BOUNDARY, MILLIMETRES, OVERLAP, TRUTH, SampleTable, sample_table


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of scoring one predictor: the table of samples and the prediction time.

    Attributes:
        samples: Table with one row per sample, in the requested order.
        predict_seconds: Total time in `predict` over all batches, in seconds.
        masks: Predicted masks of the same samples, eight pixels per byte (`np.packbits` along the width), uint8
            [n, structures, h, ⌈w/8⌉]; None for a model without masks.
        curve: Mean Dice at other thresholds; None for a model without masks.
    """

    samples: SampleTable
    predict_seconds: float
    masks: NDArray[np.uint8] | None = None
    curve: ThresholdCurve | None = None

    @property
    def images_per_second(self) -> float:
        """Throughput: samples per second of `predict`, including the first batch."""
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

    Every sample is scored separately, so the batch size only affects the speed.

    Args:
        predictor: Model that predicts masks, classes or both, the same parts in every batch. It gets only images;
            `SavedPredictions` are looked up by id instead.
        dataset: Preprocessed samples.
        positions: Positions of the samples to score, 0-based; all by default.
        threshold: A pixel belongs to the mask if its probability is greater than this value, 0…1.
        batch_size: Number of samples per call of `predict`, from 1.
        where: Name of the predictor in error messages.
        truth: The same samples at the size at which masks are scored, if it differs from the predictor's size.
            Predicted masks are resized to it (bilinear). Where the size of a pixel is known (`truth.originals`), they
            are also resized to the grid of the source, for distances in mm.

    Raises:
        PredictionError: The threshold or the batch size is out of range, a prediction has the wrong shape, is not
            finite or outside 0…1, or only some batches have masks (or classes). Saved predictions that lack samples,
            or have samples outside the data set, are reported before any sample is scored.
    """
    SHARE.require(threshold, f"{where}: threshold", error=PredictionError)
    COUNT.require(batch_size, "batch_size", error=PredictionError)
    chosen = np.arange(len(dataset)) if positions is None else np.asarray(positions)
    truth = dataset if truth is None else _same_samples(truth, dataset, where)
    if len(chosen) == 0:
        raise PredictionError("no samples to score", where=where, hint="choose at least one sample")
    if isinstance(dataset, Dataset) and dataset.is_complete:
        require_known(predictor, dataset.ids)
    require_all(predictor, dataset.ids[chosen], "test samples")
    overlaps, boundaries, millimetres, probabilities, seconds = [], [], [], [], 0.0
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
            mask_prob = resized(predictions.mask_prob, truths.shape)
            masks = mask_prob > threshold
            packed.append(np.packbits(masks, axis=3))
            at_thresholds.append(counts_at(mask_prob, truths))
            overlaps.append(np.stack(counts(masks, truths)))
            boundaries.append(_boundaries(masks, truths))
            if truth.originals is not None:
                millimetres.append(in_millimetres(predictions.mask_prob, truth.originals, at, threshold))
        if predictions.class_prob is not None:
            probabilities.append(predictions.class_prob)
    table = _table(truth, chosen, overlaps, boundaries, millimetres, probabilities, where)
    if not packed:
        return Evaluation(table, seconds)
    curve = threshold_curve(np.concatenate(at_thresholds, axis=1), table.truth_area)
    return Evaluation(table, seconds, np.concatenate(packed), curve)


def _table(
    truth: Samples,
    chosen: NDArray[np.int64],
    overlaps: list[NDArray[np.int64]],
    boundaries: list[NDArray[np.float64]],
    millimetres: list[NDArray[np.float64]],
    probabilities: list[NDArray[np.floating]],
    where: str,
) -> SampleTable:
    """Join the batches. A part that only some batches have is an error."""
    overlap = np.concatenate(overlaps, axis=1) if overlaps else None
    class_prob = np.concatenate(probabilities) if probabilities else None
    for name, rows in (
        ("masks", None if overlap is None else overlap.shape[1]),
        ("classes", None if class_prob is None else len(class_prob)),
    ):
        if rows is not None and rows != len(chosen):
            raise PredictionError(
                f"returned {name} for {rows} of {len(chosen)} samples",
                where=where,
                hint="return them in every batch or in none",
            )
    measures = {TRUTH: truth.masks[chosen].sum(axis=(2, 3))}
    if overlap is not None:
        measures |= dict(zip(OVERLAP, overlap, strict=False))
        measures |= dict(zip(BOUNDARY, np.concatenate(boundaries, axis=1), strict=True))
    if millimetres:
        measures |= dict(zip(MILLIMETRES, np.concatenate(millimetres, axis=1), strict=True))
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
        raise PredictionError("the predicted images and the true masks belong to different samples", where=where)
    return truth


def _boundaries(masks: NDArray[np.bool_], truths: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the measures of `BOUNDARY`, rounded to four decimals, float64 [3, n, k]; NaN if both masks are empty."""
    found = np.empty((len(BOUNDARY), *masks.shape[:2]))
    for i, k in np.ndindex(masks.shape[:2]):
        distances = boundary_distances(masks[i, k], truths[i, k])
        values = (distances.hd95(), distances.surface_dice(1.0), distances.surface_dice(2.0))
        found[:, i, k] = [round(value, 4) for value in values]
    return found
