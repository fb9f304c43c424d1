"""The checks, each a function that raises where a promise is broken; in the order in which they are run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from btlib.conformance.subject import Subject
from btlib.errors import BtlibError, PredictionError
from btlib.evaluation.checks import check_kind, check_ranges, check_shapes
from btlib.registry import Registry
from btlib.types import Predictions

_SAME = 1e-5  # of probabilities that come from the same computation
_CLOSE = 1e-3  # of probabilities that come from the same numbers in another order
_WHERE = "predict"


@dataclass(frozen=True)
class Check:
    """One promise of a case.

    Attributes:
        name: Short.
        needs: Checks that must have passed; without them this one would only say the same again.
        run: Raises where the promise is broken; returns why it does not apply, or None.
    """

    name: str
    needs: tuple[str, ...]
    run: Callable[[Subject], str | None]


CHECKS: Registry[Check] = Registry("check")

Run = Callable[[Subject], str | None]


def _check(name: str, *needs: str) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        CHECKS.add(name, Check(name, needs, run))
        return run

    return register


@_check("prepare")
def _prepare(subject: Subject) -> str | None:
    subject.first()
    return None


@_check("predict", "prepare")
def _predict(subject: Subject) -> str | None:
    check_kind(subject.predict(), _WHERE)
    return None


@_check("declared parts", "predict")
def _declared(subject: Subject) -> str | None:
    said, case = subject.predict(), subject.case
    for part, declared, values in (
        ("mask", case.has_mask, said.mask_prob),
        ("classes", case.has_classes, said.class_prob),
    ):
        if declared != (values is not None):
            raise PredictionError(
                f"has_{part} is {declared}, the predictor gives {'none' if values is None else 'some'}",
                mend=f"declare has_{part}={not declared} in @case, or mend the predictor",
            )
    return None


@_check("shapes", "predict")
def _shapes(subject: Subject) -> str | None:
    with _mended("give one mask [h, w] and three classes for each image"):
        check_shapes(subject.predict(), subject.images.shape, _WHERE)
    return None


@_check("ranges", "shapes")
def _ranges(subject: Subject) -> str | None:
    check_ranges(subject.predict(), _WHERE)
    return None


@_check("determinism", "ranges")
def _determinism(subject: Subject) -> str | None:
    _require_same(
        subject.predict(),
        subject.predict(),
        _SAME,
        "the same images predicted twice",
        "switch off dropout and random augmentation, or seed them anew in each predict",
    )
    return None


@_check("order", "determinism")
def _order(subject: Subject) -> str | None:
    back = np.arange(len(subject.images))[::-1]
    _require_same(
        subject.predict(),
        _take(subject.predict(back), back),
        _CLOSE,
        "the same images in another order",
        "predict each image by itself: keep no state from image to image, nor count positions",
    )
    return None


@_check("batch size", "order")
def _batch_size(subject: Subject) -> str | None:
    singles = [subject.predict(np.array([i])) for i in range(len(subject.images))]
    parts = zip(*((p.mask_prob, p.class_prob) for p in singles), strict=True)
    joined = Predictions(*(None if part[0] is None else np.concatenate(part) for part in parts))
    _require_same(
        subject.predict(),
        joined,
        _CLOSE,
        "the same images one by one",
        "put batch norm into eval mode; scale by the image's own statistics, not the batch's",
    )
    return None


@_check("odd sizes", "shapes")
def _odd_sizes(subject: Subject) -> str | None:
    if subject.case.image_size is not None:
        return f"the case takes {subject.case.image_size} pixels only"
    if subject.by_number:
        return "saved predictions are of the size they are"
    images = subject.images[:2, : subject.images.shape[1] - 1, : subject.images.shape[2] - 15].copy()
    with _mended(
        "pad inside predict and cut the mask back, or declare image_size in @case",
        f"images of {images.shape[1]}×{images.shape[2]}",
    ):
        check_shapes(subject.predictor.predict(images), images.shape, _WHERE)
    return None


@_check("empty input", "predict")
def _empty(subject: Subject) -> str | None:
    with _mended("raise ValueError or PredictionError, or return arrays of length 0", "no images at all"):
        try:
            said = subject.predict(slice(0, 0))
        except (ValueError, BtlibError):
            return None
        check_kind(said, _WHERE)
        check_shapes(said, subject.images[:0].shape, _WHERE)
    return None


@_check("save and load", "determinism")
def _save_and_load(subject: Subject) -> str | None:
    _require_same(
        subject.predict(),
        subject.predict(predictor=subject.prepare().predictor),
        _SAME,
        "prepared a second time",
        "save and load all of the model (batch norm's statistics too), or seed the training with work.seed",
    )
    return None


def _take(said: Predictions, at: np.ndarray) -> Predictions:
    return Predictions(*(None if part is None else part[at] for part in (said.mask_prob, said.class_prob)))


def _require_same(first: Predictions, second: Predictions, tolerance: float, what: str, mend: str) -> None:
    for name in ("mask_prob", "class_prob"):
        one, other = getattr(first, name), getattr(second, name)
        if (one is None) != (other is None) or (one is not None and one.shape != other.shape):
            raise PredictionError(f"{what}: {name} has another shape, or is there only once", mend=mend)
        gap = 0.0 if one is None else float(np.abs(one.astype(np.float64) - other).max())
        if not gap <= tolerance:
            raise PredictionError(f"{what}: {name} differs by up to {gap:.2g}", mend=mend)


@contextmanager
def _mended(mend: str, what: str = _WHERE) -> Iterator[None]:
    """Whatever a framework says of it, the remedy is the same."""
    try:
        yield
    except Exception as error:
        told = error.problem if isinstance(error, BtlibError) else f"{type(error).__name__}: {error}"
        raise PredictionError(told, where=what, mend=mend) from error
