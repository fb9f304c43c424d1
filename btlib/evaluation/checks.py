"""Checks of predictions before they are scored."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.task import Task
from btlib.errors import PredictionError
from btlib.types import Predictions

_NUMBERS = "biuf"  # accepted kinds of dtypes: bool, integers, floating point
_TOLERANCE = 1e-3  # accepted deviation of a row sum from 1, for probabilities computed in bf16


def check_kind(predictions: object, where: str) -> None:
    """Check that an object is `Predictions` with at least one part, and that its parts are arrays of real numbers.

    Raises:
        PredictionError: A check fails.
    """
    if not isinstance(predictions, Predictions):
        raise PredictionError(
            f"expected Predictions, got {type(predictions).__name__}",
            where=where,
            hint="return btlib.types.Predictions(mask_prob=…, class_prob=…)",
        )
    if predictions.mask_prob is None and predictions.class_prob is None:
        raise PredictionError("returned neither masks nor classes", where=where, hint="return at least one of the two")
    for name, values in (("mask_prob", predictions.mask_prob), ("class_prob", predictions.class_prob)):
        if values is not None and not isinstance(values, np.ndarray):
            raise PredictionError(
                f"{name}: expected a NumPy array, got {type(values).__name__}",
                where=where,
                hint="convert it by np.asarray(…), or a PyTorch tensor by .detach().cpu().numpy()",
            )
        if isinstance(values, np.ma.MaskedArray):
            hint = "return a value for every element: array.filled(0) replaces masked elements by 0"
            raise PredictionError(f"{name}: expected a plain array, got a masked one", where=where, hint=hint)
        if values is not None and values.dtype.kind not in _NUMBERS:
            raise PredictionError(
                f"{name}: expected real numbers, got dtype {values.dtype}",
                where=where,
                hint="return probabilities as floating-point numbers, for example array.astype(np.float32)",
            )


def in_shape(predictions: Predictions, shape: tuple[int, ...], task: Task, where: str) -> Predictions:
    """Return masks as [n, structures, h, w] and classes as [n, classes], and check these shapes.

    Args:
        predictions: Predictions to check. Masks may be [n, h, w] if the task has one structure.
        shape: Shape of the images, [n, channels, h, w].
        task: Task with its structures and classes.
        where: Name of the predictor in error messages.

    Raises:
        PredictionError: A shape is wrong, or there are masks or classes that the task does not have.
    """
    n, _, *side = shape
    masks = predictions.mask_prob
    if masks is not None and len(task.structures) == 1 and masks.shape == (n, *side):
        masks = masks[:, None]
    for name, values, asked, expected in (
        ("mask_prob", masks, task.structures, (n, len(task.structures), *side)),
        ("class_prob", predictions.class_prob, task.classes, (n, len(task.classes))),
    ):
        if values is not None and not asked:
            parts = "structures" if name == "mask_prob" else "classes"
            raise PredictionError(f"{name}: the task {task.name!r} has no {parts}", where=where, hint="return None")
        if values is not None and values.shape != expected:
            given = getattr(predictions, name).shape
            raise PredictionError(f"{name}: expected shape {expected}, got {given}", where=where)
    return Predictions(masks, predictions.class_prob)


def check_ranges(predictions: Predictions, where: str) -> None:
    """Check that all values are finite and in 0…1, and that class probabilities sum to 1.

    Raises:
        PredictionError: A check fails.
    """
    if predictions.mask_prob is not None:
        _check_range("mask_prob", predictions.mask_prob, where)
    if predictions.class_prob is not None:
        _check_range("class_prob", predictions.class_prob, where)
        sums = predictions.class_prob.sum(axis=1)
        if np.abs(sums - 1).max() > _TOLERANCE:
            raise PredictionError(
                f"class_prob: each row must sum to 1, got {sums[np.abs(sums - 1).argmax()]:.4f}",
                where=where,
                hint="apply a softmax over the classes",
            )


def _check_range(name: str, values: NDArray[np.floating], where: str) -> None:
    if not np.isfinite(values).all():
        raise PredictionError(
            f"{name}: {int((~np.isfinite(values)).sum())} of {values.size} values are not finite",
            where=where,
            hint="check for diverged training or a division by zero",
        )
    if values.min() < 0 or values.max() > 1:
        raise PredictionError(
            f"{name}: expected probabilities in 0…1, got {values.min():.4g}…{values.max():.4g}",
            where=where,
            hint="apply a sigmoid (mask) or a softmax (classes); these values look like logits",
        )
