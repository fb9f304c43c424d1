"""Conformance checks, in the order in which they are run. Each is a function that raises if the case breaks a rule."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from btlib.cases.checks import check_prepared
from btlib.conformance.activations import Doubled, in_classes, in_masks
from btlib.conformance.subject import Subject
from btlib.errors import BtlibError, PredictionError, foreign_faults
from btlib.evaluation.checks import check_kind, check_ranges, in_shape
from btlib.evaluation.predictor import ask_uncopied, copied
from btlib.registry import Registry
from btlib.types import Predictions

_SAME = 1e-5  # tolerance for probabilities of the same computation
_CLOSE = 1e-3  # tolerance for probabilities computed from the same numbers in another order
_WHERE = "predict"


@dataclass(frozen=True)
class Remark:
    """Result of a check that neither passes nor fails.

    Attributes:
        outcome: "skip" if the check does not apply; "note" for a limitation that breaks no rule.
        message: Reason why it does not apply; or the limitation and how to remove it.
    """

    outcome: Literal["skip", "note"]
    message: str


Run = Callable[[Subject], Remark | None]


@dataclass(frozen=True)
class Check:
    """Check of one rule that a case must follow.

    Attributes:
        name: Short name.
        needs: Checks that must pass first; otherwise this check would report the same error again.
        run: Function that raises if the case breaks the rule, and returns None if it follows the rule.
    """

    name: str
    needs: tuple[str, ...]
    run: Run


CHECKS: Registry[Check] = Registry("check")


def _check(name: str, *needs: str) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        CHECKS.add(name, Check(name, needs, run))
        return run

    return register


@_check("prepare")
def _prepare(subject: Subject) -> None:
    subject.first()


@_check("fields", "prepare")
def _fields(subject: Subject) -> None:
    check_prepared(subject.case, subject.first())


@_check("predict", "prepare")
def _predict(subject: Subject) -> None:
    subject.require_all()
    check_kind(subject.predict(), _WHERE)


@_check("declared parts", "predict")
def _declared(subject: Subject) -> None:
    predictions, case = subject.predict(), subject.case
    for part, declared, values in (
        ("mask", case.has_mask, predictions.mask_prob),
        ("classes", case.has_classes, predictions.class_prob),
    ):
        if declared != (values is not None):
            raise PredictionError(
                f"has_{part} is {declared}, but the predictor returns {'none' if values is None else 'some'}",
                hint=f"declare has_{part}={not declared} in @case, or correct the predictor",
            )


@_check("shapes", "predict")
def _shapes(subject: Subject) -> None:
    task = subject.samples.task
    counts = (("mask [h, w]", "masks [h, w]", task.structures), ("class", "classes", task.classes))
    parts = [f"{len(names)} {one if len(names) == 1 else many}" for one, many, names in counts if names]
    with _with_hint(f"return {' and '.join(parts)} for each image"):
        in_shape(subject.predict(), subject.images.shape, task, _WHERE)


@_check("ranges", "shapes")
def _ranges(subject: Subject) -> None:
    check_ranges(subject.predict(), _WHERE)


@_check("double activation", "ranges")
def _double_activation(subject: Subject) -> Remark | None:
    """An untrained model may stay in the range of a double activation by chance, so this alone is at most a note."""
    predictions, probes, task = subject.predict(), subject.predict_extremes(), subject.samples.task
    mask, classes = (getattr(probes, name, None) for name in ("mask_prob", "class_prob"))
    found: list[Doubled] = []
    if predictions.mask_prob is not None:
        found.append(in_masks(predictions.mask_prob, mask, len(task.structures)))
    if predictions.class_prob is not None:
        found.append(in_classes(predictions.class_prob, classes))
    hint = (
        'apply one activation: if the model returns probabilities, use mask_kind or class_kind="probabilities" in '
        "Outputs, or remove the sigmoid or softmax after it"
    )
    certain = [one.message for one in found if one.evidence == "certain"]
    if certain:
        raise PredictionError("; ".join(certain), where=_WHERE, hint=hint)
    possible = [one.message for one in found if one.evidence == "possible"]
    if possible and subject.first().source not in ("trained", "resumed"):
        return Remark("note", f"{'; '.join(possible)}. If the model is not simply uncertain: {hint}")
    return None


@_check("determinism", "ranges")
def _determinism(subject: Subject) -> None:
    _require_same(
        subject.predict(),
        subject.predict(),
        _SAME,
        "the same images predicted twice",
        "disable dropout and random augmentation, or seed them again in each call of predict",
    )


@_check("own arrays", "determinism")
def _own_arrays(subject: Subject) -> Remark | None:
    first = subject.predict_uncopied()
    before = copied(first)
    subject.predict_uncopied(np.arange(len(subject.images))[::-1])
    for name in ("mask_prob", "class_prob"):
        then, now = getattr(before, name), getattr(first, name)
        if then is not None and not np.array_equal(then, now, equal_nan=True):
            return Remark(
                "note",
                f"{name} of one call changes with the next call, because predict returns the same array again. btlib "
                "copies the array, but other code would use wrong numbers. Return a copy: np.array(…)",
            )
    return None


@_check("own input", "predict")
def _own_input(subject: Subject) -> Remark | None:
    images = subject.images.copy()
    ask_uncopied(subject.predictor, subject.samples.ids, images)
    if np.array_equal(images, subject.images, equal_nan=True):
        return None
    return Remark(
        "note",
        "predict changes the images that it is given. btlib gives it a copy each time, but other code would use "
        "changed images. Work on a copy: images = images.copy()",
    )


@_check("order", "determinism")
def _order(subject: Subject) -> None:
    back = np.arange(len(subject.images))[::-1]
    _require_same(
        subject.predict(),
        _take(subject.predict(back), back),
        _CLOSE,
        "the same images in another order",
        "predict each image separately: results must not depend on earlier images or on the position in the batch",
    )


@_check("batch size", "order")
def _batch_size(subject: Subject) -> None:
    singles = [subject.predict(np.array([i])) for i in range(len(subject.images))]
    parts = zip(*((p.mask_prob, p.class_prob) for p in singles), strict=True)
    joined = Predictions(*(None if part[0] is None else np.concatenate(part) for part in parts))
    _require_same(
        subject.predict(),
        joined,
        _CLOSE,
        "the same images one by one",
        "set batch norm to eval mode; scale by the statistics of each image, not of the batch",
    )


@_check("odd sizes", "shapes")
def _odd_sizes(subject: Subject) -> Remark | None:
    if subject.case.image_size is not None:
        return Remark("skip", f"the case accepts only {subject.case.image_size} pixels")
    if subject.is_saved:
        return Remark("skip", "saved predictions have a fixed size")
    height, width = subject.images.shape[2:]
    narrower = width - 15 if width > 30 else width - 3
    if narrower < 1:
        return Remark("skip", f"images of {width} pixels cannot be made smaller")
    images = subject.images[:2, :, : height - 1, :narrower].copy()
    what = f"images of {height - 1}×{width - 15}"
    try:
        with _with_hint("pad inside predict and crop the mask, or declare image_size in @case", what):
            predictions = subject.predictor.predict(images)
            swapped = _has_swapped_axes(predictions, images)
            if not swapped:
                in_shape(predictions, images.shape, subject.samples.task, _WHERE)
    except PredictionError as error:
        if subject.case.any_size:
            hint = "pad inside predict and crop the mask, or leave out any_size=True in @case"
            raise PredictionError(error.problem, where=error.where, hint=hint) from error
        return Remark("note", str(error))
    if swapped:
        problem = "mask_prob has height and width swapped, which is not visible with square images"
        raise PredictionError(
            problem, where=what, hint="return it in the axis order of the images, [n, structures, h, w]"
        )
    return None


@_check("empty input", "predict")
def _empty(subject: Subject) -> None:
    with _with_hint("raise ValueError or PredictionError, or return arrays of length 0", "an empty batch"):
        try:
            predictions = subject.predict(slice(0, 0))
        except (ValueError, BtlibError):
            return
        check_kind(predictions, _WHERE)
        in_shape(predictions, subject.images[:0].shape, subject.samples.task, _WHERE)


@_check("save and load", "determinism")
def _save_and_load(subject: Subject) -> None:
    _require_same(
        subject.predict(),
        subject.predict(predictor=subject.prepare().predictor),
        _SAME,
        "the same images after preparing the case a second time",
        "save and load the complete model (including batch norm statistics), or seed the training with work.seed",
    )


def _has_swapped_axes(predictions: Predictions, images: np.ndarray) -> bool:
    """Whether the shape of the mask is [n, …, w, h]."""
    mask, (height, width) = predictions.mask_prob, images.shape[2:]
    return mask is not None and mask.shape[-2:] == (width, height)


def _take(predictions: Predictions, at: np.ndarray) -> Predictions:
    parts = (predictions.mask_prob, predictions.class_prob)
    return Predictions(*(None if part is None else part[at] for part in parts))


def _require_same(first: Predictions, second: Predictions, tolerance: float, what: str, hint: str) -> None:
    for name in ("mask_prob", "class_prob"):
        one, other = getattr(first, name), getattr(second, name)
        if (one is None) != (other is None) or (one is not None and one.shape != other.shape):
            raise PredictionError(f"{what}: {name} has another shape, or is present only once", hint=hint)
        gap = 0.0 if one is None else float(np.abs(one.astype(np.float64) - other).max())
        if not gap <= tolerance:
            raise PredictionError(f"{what}: {name} differs by up to {gap:.2g}", hint=hint)


@contextmanager
def _with_hint(hint: str, what: str = _WHERE) -> Iterator[None]:
    """Turn any exception into a PredictionError with this hint."""
    try:
        yield
    except foreign_faults() as error:
        problem = error.problem if isinstance(error, BtlibError) else f"{type(error).__name__}: {error}"
        raise PredictionError(problem, where=what, hint=hint) from error
