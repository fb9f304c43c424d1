"""Values that are no probabilities are called what they probably are; wrong shapes name the way to the right one."""

from typing import Any

import numpy as np
import pytest

from btlib.data.task import Task
from btlib.errors import PredictionError
from btlib.evaluation.checks import check_ranges, in_shape
from btlib.types import Predictions

TASK = Task(name="two", classes=("a", "b", "c"), structures=("core", "rim"))
ONE = Task(name="one", classes=("no", "yes"), structures=("lesion",))
RNG = np.random.default_rng(0)
SHAPE = (4, 2, 5, 7)


def masks(values: Any) -> Predictions:
    return Predictions(np.asarray(values), None)


MASKS: dict[str, tuple[Any, str, str]] = {
    "8 bits": (
        255 * (RNG.random(SHAPE) > 0.5).astype(np.uint8),
        "got the values 0 and 255",
        "divide by 255: they are m",
    ),
    "8 bits, float": (255.0 * (RNG.random(SHAPE) > 0.5), "got the values 0 and 255", "divide by 255"),
    "all 255": (np.full(SHAPE, 255, np.uint8), "got the values 0 and 255", "divide by 255"),
    "grey": (RNG.permutation(280).reshape(SHAPE) % 256, "whole numbers 0…255", "divide by 255: they are grey levels"),
    "indices": (RNG.integers(0, 3, SHAPE), "got the values 0, 1, 2", "look like indices: give each structure a mask"),
    "logits": (RNG.normal(0, 5, SHAPE), "got -", "apply a sigmoid: these values look like logits"),
    "positive logits": (RNG.random(SHAPE) * 9, "got 0.", "apply a sigmoid if these are logits; divide percentages"),
    "interpolated": (RNG.random(SHAPE) * 1.06 - 0.03, "got -0.0", "from rounding or interpolation: np.clip"),
    "rounded": (np.full(SHAPE, np.float32(1.0000001)), "got 1…1.000000", "from rounding or interpolation: np.clip"),
}
MASKS["rounded"][0][0] = 1


@pytest.mark.parametrize("kind", MASKS)
def test_masks_are_called_what_they_are(kind: str) -> None:
    values, problem, hint = MASKS[kind]
    with pytest.raises(PredictionError, match=r"^x: mask_prob: expected probabilities in 0…1, got ") as caught:
        check_ranges(masks(values), "x")
    assert problem in caught.value.problem
    assert hint in str(caught.value.hint)


CLASSES: dict[str, tuple[Any, str]] = {
    "logits": (RNG.normal(0, 4, (6, 3)), "apply a softmax: these values look like logits"),
    "percentages": (100 * RNG.dirichlet((1, 1, 1), 6), "divide by 100: they are percentages"),
    "counts": (np.array([[3, 0, 7], [10, 0, 0]]), "look like labels or counts: give each class a probability"),
    "sigmoids": (RNG.random((6, 3)) * 0.9, "apply a softmax over the classes"),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_are_called_what_they_are(kind: str) -> None:
    values, hint = CLASSES[kind]
    with pytest.raises(PredictionError, match="class_prob: ") as caught:
        check_ranges(Predictions(None, values), "x")
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("part", ["mask_prob", "class_prob"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(part: str, value: float) -> None:
    values = np.full(SHAPE if part == "mask_prob" else (4, 2), 0.5)
    values[1, 1] = value
    given = Predictions(**{"mask_prob": None, "class_prob": None} | {part: values})
    with pytest.raises(PredictionError, match=rf"{part}: {35 if part == 'mask_prob' else 1} of {values.size} values "):
        check_ranges(given, "x")


def test_hard_masks_of_any_type_are_probabilities() -> None:
    for dtype in (bool, np.uint8, np.float16, np.float64):
        check_ranges(masks((RNG.random(SHAPE) > 0.5).astype(dtype)), "x")


@pytest.mark.parametrize(
    ("shape", "task", "hint"),
    [
        ((4, 5, 7, 2), TASK, "on the last axis: np.moveaxis(mask_prob, 3, 1)"),
        ((4, 5, 7, 1), ONE, "on the last axis: np.moveaxis(mask_prob, 3, 1)"),
        ((4, 5, 7), TASK, "one mask for each of core, rim: of an index mask"),
        ((4, 3, 5, 7), TASK, "leave out the background: mask_prob[:, 1:]"),
        ((4, 2, 5, 7), ONE, "leave out the background: mask_prob[:, 1:]"),
        ((4, 1, 5, 7), TASK, "the structures of the task are core, rim, in this order"),
        ((3, 2, 5, 7), TASK, "return one prediction for each image"),
        ((4, 2, 10, 14), TASK, "return masks of the size of the images"),
    ],
)
def test_masks_of_another_shape(shape: tuple[int, ...], task: Task, hint: str) -> None:
    with pytest.raises(PredictionError, match="mask_prob: expected shape") as caught:
        in_shape(masks(np.zeros(shape)), (4, 1, 5, 7), task, "x")
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("shape", "task", "hint"),
    [
        ((4,), TASK, "return a probability for each class, or of a label np.eye(3)[label]"),
        ((4,), ONE, "return both classes: np.stack([1 - p, p], axis=1)"),
        ((4, 1), ONE, "return both classes: np.stack([1 - p, p], axis=1)"),
        ((4, 2), TASK, "the classes of the task are a, b, c, in this order"),
        ((3, 3), TASK, "return one prediction for each image"),
    ],
)
def test_classes_of_another_shape(shape: tuple[int, ...], task: Task, hint: str) -> None:
    with pytest.raises(PredictionError, match="class_prob: expected shape") as caught:
        in_shape(Predictions(None, np.zeros(shape)), (4, 1, 5, 7), task, "x")
    assert hint in str(caught.value.hint)
