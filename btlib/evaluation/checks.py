"""What a predictor says is checked before it is scored: nothing wrong gets through as a number."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.task import Task
from btlib.errors import PredictionError
from btlib.types import Predictions

_NUMBERS = "biuf"  # kinds of dtypes: bool, integers, floating point
_TOLERANCE = 1e-3  # probabilities computed in bf16 need not sum to 1 more closely


def check_kind(predictions: object, where: str) -> None:
    """Refuse what is not `Predictions`, says nothing, or says it in other than real numbers.

    Raises:
        PredictionError: As said.
    """
    if not isinstance(predictions, Predictions):
        raise PredictionError(
            f"expected Predictions, got {type(predictions).__name__}",
            where=where,
            hint="return btlib.types.Predictions(mask_prob=…, class_prob=…)",
        )
    if predictions.mask_prob is None and predictions.class_prob is None:
        raise PredictionError("gave neither masks nor classes", where=where, hint="fill at least one of the two")
    for name, values in (("mask_prob", predictions.mask_prob), ("class_prob", predictions.class_prob)):
        if values is not None and not isinstance(values, np.ndarray):
            raise PredictionError(
                f"{name}: expected a NumPy array, got {type(values).__name__}",
                where=where,
                hint="convert it: np.asarray(…), for tensors of PyTorch .detach().cpu().numpy()",
            )
        if isinstance(values, np.ma.MaskedArray):
            hint = "give every value: array.filled(0) takes 0 for those that are masked"
            raise PredictionError(f"{name}: expected a plain array, got a masked one", where=where, hint=hint)
        if values is not None and values.dtype.kind not in _NUMBERS:
            raise PredictionError(
                f"{name}: expected real numbers, got dtype {values.dtype}",
                where=where,
                hint="give probabilities as floating-point numbers, such as array.astype(np.float32)",
            )


def in_shape(predictions: Predictions, shape: tuple[int, ...], task: Task, where: str) -> Predictions:
    """Masks as [n, structures, h, w] and classes as [n, classes]; anything of another shape is refused.

    Args:
        predictions: Masks may be [n, h, w] where the task has one structure.
        shape: Of the images, [n, channels, h, w].
        task: Says how many structures and classes there are.
        where: Named in error messages.

    Raises:
        PredictionError: Another shape, or masks or classes that the task does not ask for.
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
            raise PredictionError(f"{name}: the task {task.name!r} has no {parts}", where=where, hint="give None")
        if values is not None and values.shape != expected:
            given = getattr(predictions, name).shape
            raise PredictionError(f"{name}: expected shape {expected}, got {given}", where=where)
    return Predictions(masks, predictions.class_prob)


def check_ranges(predictions: Predictions, where: str) -> None:
    """Refuse what is not finite or outside 0…1, and classes that do not sum to 1.

    Raises:
        PredictionError: As said.
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
            hint="look for a diverged training or a division by zero",
        )
    if values.min() < 0 or values.max() > 1:
        raise PredictionError(
            f"{name}: expected probabilities in 0…1, got {values.min():.4g}…{values.max():.4g}",
            where=where,
            hint="apply a sigmoid (mask) or a softmax (classes): these look like logits",
        )
