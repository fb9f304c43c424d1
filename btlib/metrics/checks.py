"""Checks of the inputs of metrics. Without them a negative class index would silently count from the end."""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import PredictionError

SUM_TOLERANCE = 2e-3
"""Accepted deviation of a row sum from 1, for probabilities that were rounded or computed in bf16."""


def check_masks(pred: NDArray[np.bool_], truth: NDArray[np.bool_], *, single: bool = False) -> None:
    """Check that two arrays are masks of the same shape.

    Args:
        pred: Predicted masks, bool [..., h, w].
        truth: True masks of the same shape.
        single: Whether exactly one mask [h, w] is expected instead of a stack.

    Raises:
        PredictionError: A mask is not boolean, the shapes differ, or a stack is given where one mask is expected.
    """
    expected = "[h, w]" if single else "[..., h, w]"
    for name, mask in (("pred", pred), ("truth", truth)):
        if mask.dtype != np.bool_ or mask.ndim < 2 or (single and mask.ndim != 2):
            boolean = mask.dtype == np.bool_
            raise PredictionError(
                f"expected bool {expected}, got {mask.dtype} {mask.shape}",
                where=name,
                hint="give one mask at a time" if boolean else "threshold probabilities first: mask_prob > 0.65",
            )
    if pred.shape != truth.shape:
        raise PredictionError(f"shapes differ: pred {pred.shape}, truth {truth.shape}", hint="resize one to the other")


def check_types(name: str, values: NDArray[np.integer], n: int, n_types: int) -> None:
    """Check that an array holds `n` classes in 0…n_types-1.

    Raises:
        PredictionError: The array has another length, is empty, is not of integers, or has a class out of range.
    """
    if values.ndim != 1 or len(values) != n or n == 0 or values.dtype.kind not in "iu":
        raise PredictionError(f"expected {n} whole numbers, got {values.dtype} {values.shape}", where=name)
    if values.min() < 0 or values.max() >= n_types:
        raise PredictionError(
            f"expected classes 0…{n_types - 1}, got {values.min()}…{values.max()}",
            where=name,
            hint="count classes from 0",
        )


def check_probabilities(
    class_prob: NDArray[np.floating], truth: NDArray[np.integer], *, normalised: bool = True
) -> None:
    """Check class probabilities and the true classes that belong to them.

    Args:
        class_prob: Class probabilities [n, k], 0…1.
        truth: True classes 0…k-1, [n].
        normalised: Whether each row must sum to 1.

    Raises:
        PredictionError: The shape is wrong, a value is not finite or outside 0…1, a row does not sum to 1, or `truth`
            is not of classes 0…k-1.
    """
    if class_prob.ndim != 2:
        raise PredictionError(f"expected probabilities [n, k], got shape {class_prob.shape}", where="class_prob")
    check_types("truth", truth, *class_prob.shape)
    if not ((class_prob >= 0) & (class_prob <= 1)).all():  # also refuses NaN
        raise PredictionError(
            f"expected probabilities in 0…1, got {class_prob.min():.4g}…{class_prob.max():.4g}",
            where="class_prob",
            hint="apply a softmax over the classes, and check for NaN",
        )
    if normalised and (np.abs(class_prob.sum(axis=1) - 1) > SUM_TOLERANCE).any():
        raise PredictionError("each row must sum to 1", where="class_prob", hint="apply a softmax over the classes")
