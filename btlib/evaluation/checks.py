"""Checks of predictions before they are scored."""

import numpy as np
from numpy.typing import NDArray

from btlib.data.task import Task
from btlib.errors import PredictionError
from btlib.types import Predictions

_NUMBERS = "biuf"  # accepted kinds of dtypes: bool, integers, floating point
_INDICES = 16  # largest number of different whole numbers that look like indices
_OVERSHOOT = 0.05  # distance from 0…1 that rounding or interpolation explains
_TOLERANCE = 1e-3  # accepted deviation of a row sum from 1, for probabilities computed in bf16


def check_kind(predictions: object, where: str) -> None:
    """Check that an object is `Predictions` with at least one part, and that its parts are arrays of real numbers.

    Raises:
        PredictionError: A check fails.
    """
    if not isinstance(predictions, Predictions):
        raise PredictionError(
            f"expected Predictions, got {_type_of(predictions)}",
            where=where,
            hint="return btlib.types.Predictions(mask_prob=…, class_prob=…)",
        )
    if predictions.mask_prob is None and predictions.class_prob is None:
        raise PredictionError("returned neither masks nor classes", where=where, hint="return at least one of the two")
    for name, values in (("mask_prob", predictions.mask_prob), ("class_prob", predictions.class_prob)):
        if values is not None and not isinstance(values, np.ndarray):
            raise PredictionError(
                f"{name}: expected a NumPy array, got {_type_of(values)}", where=where, hint=_conversion(values)
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


_CONVERSIONS = {
    "torch": "convert the PyTorch tensor: .detach().float().cpu().numpy()",
    "jax": "convert the JAX array: np.asarray(…)",
    "jaxlib": "convert the JAX array: np.asarray(…)",
    "tensorflow": "convert the TensorFlow tensor: .numpy()",
    "cupy": "convert the CuPy array: cupy.asnumpy(…)",
}


def _type_of(value: object) -> str:
    """Return the type of an object with its package, such as "torch.Tensor"; "ndarray" for a NumPy array."""
    package = type(value).__module__.partition(".")[0]
    return type(value).__name__ if package in ("builtins", "numpy") else f"{package}.{type(value).__name__}"


def _conversion(values: object) -> str:
    """Return a hint how to convert an object to a NumPy array."""
    return _CONVERSIONS.get(type(values).__module__.partition(".")[0], "convert it by np.asarray(…)")


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
            hint = _mask_hint(given, expected, task) if name == "mask_prob" else _class_hint(given, expected, task)
            raise PredictionError(f"{name}: expected shape {expected}, got {given}", where=where, hint=hint)
    return Predictions(masks, predictions.class_prob)


def _mask_hint(given: tuple[int, ...], expected: tuple[int, ...], task: Task) -> str:
    """Return a hint for masks of another shape."""
    n, k, *side = expected
    if given == (n, *side, k):
        return "the structures are on the last axis: np.moveaxis(mask_prob, 3, 1)"
    if given == (n, *side):
        return f"one mask for each of {', '.join(task.structures)}: of an index mask, np.stack([mask == i …], axis=1)"
    if given == (n, k + 1, *side):
        return "leave out the background: mask_prob[:, 1:]"
    if len(given) == 4 and given[:1] + given[2:] == (n, *side):
        return f"the structures of the task are {', '.join(task.structures)}, in this order"
    if given[:1] != (n,):
        return "return one prediction for each image"
    return "return masks of the size of the images, [n, structures, h, w]"


def _class_hint(given: tuple[int, ...], expected: tuple[int, ...], task: Task) -> str:
    """Return a hint for class probabilities of another shape."""
    n, c = expected
    if given[:1] != (n,):
        return "return one prediction for each image"
    if given in ((n,), (n, 1)):
        if c == 2:
            return "return both classes: np.stack([1 - p, p], axis=1)"
        return f"return a probability for each class, or of a label np.eye({c})[label]"
    return f"the classes of the task are {', '.join(task.classes)}, in this order"


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
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        problem, hint = _out_of_range(name, values)
        raise PredictionError(f"{name}: {problem}", where=where, hint=hint)


def _out_of_range(name: str, values: NDArray[np.floating]) -> tuple[str, str]:
    """Return problem and hint for values outside 0…1, by what they probably are."""
    low, high = float(values.min()), float(values.max())
    span = f"{low:.4g}…{high:.4g}"
    what = "a sigmoid" if name == "mask_prob" else "a softmax"
    if low >= 0 and bool((values == np.trunc(values)).all()):
        found = np.unique(values)
        if found.tolist() in ([0, 255], [255]):
            return "expected probabilities in 0…1, got the values 0 and 255", "divide by 255: they are masks of 8 bits"
        if high <= 255 and len(found) > _INDICES:
            return f"expected probabilities in 0…1, got whole numbers {span}", "divide by 255: they are grey levels"
        if found[0] == 0 and len(found) <= _INDICES:
            listed = ", ".join(f"{value:g}" for value in found)
            hint = "they look like indices: give each structure a mask of its own, np.stack([mask == i …], axis=1)"
            if name == "class_prob":
                hint = "they look like labels or counts: give each class a probability"
            return f"expected probabilities in 0…1, got the values {listed}", hint
    if name == "class_prob" and low >= 0 and np.abs(values.sum(axis=1) - 100).max() < 100 * _TOLERANCE:
        return f"expected probabilities in 0…1, got {span}", "divide by 100: they are percentages"
    if low >= -_OVERSHOOT and 0.5 < high <= 1 + _OVERSHOOT:
        hint = "values slightly outside come from rounding or interpolation: np.clip(…, 0, 1)"
        return f"expected probabilities in 0…1, got {low:.9g}…{high:.9g}", hint
    if low < 0:
        return f"expected probabilities in 0…1, got {span}", f"apply {what}: these values look like logits"
    hint = f"apply {what} if these are logits; divide percentages by 100, and grey levels by 255"
    return f"expected probabilities in 0…1, got {span}", hint
