"""Reading from sources, including those of other packages. Every error names the faulty sample."""

import math
import operator
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from btlib.data.sample import Sample
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.sources.tasks import BUILT_IN
from btlib.data.task import Task
from btlib.errors import DataError


def known(samples: Sequence[SampleInfo], where: str) -> Sequence[SampleInfo]:
    """Check that all ids are unique texts, before any sample is read, and return the same samples.

    Raises:
        DataError: An id is not a text, is empty or occurs twice.
    """
    for info in samples:
        if not is_text(info.id):
            raise DataError(f"an id must be text, got {info.id!r}", where=where, hint="give SampleInfo(id=str(…))")
    twice = [name for name, times in Counter(info.id for info in samples).items() if times > 1]
    if twice:
        problem = f"{len(twice)} ids occur more than once, the first is {twice[0]!r}"
        raise DataError(problem, where=where, hint="give each sample a unique id")
    return samples


def is_text(value: object) -> bool:
    """Whether a value is a non-empty text that can be encoded as UTF-8."""
    return isinstance(value, str) and value != "" and value.encode("utf-8", "ignore").decode("utf-8") == value


def read_checked(source: DatasetSource, info: SampleInfo) -> Sample:
    """Read a sample and check it.

    Raises:
        DataError: The sample cannot be read (any exception of the source), or it is invalid (see `checked`).
    """
    try:
        sample = source.read(info)
    except DataError:
        raise
    except Exception as error:  # a source may be other people's code
        where = f"{source.place}, sample {info.id}"
        raise DataError(f"cannot be read: {type(error).__name__}: {error}", where=where) from error
    return checked(sample, info.id, source.task, source.place)


def checked(sample: Sample, name: str, task: Task, where: str) -> Sample:
    """Check that a sample has the requested id and fits the task; return it with its label as an integer.

    Args:
        sample: Sample as the source returned it.
        name: Requested id.
        task: Task of the source.
        where: Place that errors name.

    Raises:
        DataError: The object is not a Sample, or has another id, another number of channels or structures, a mask of
            another size or dtype, intensities that are not finite numbers, a label that the task does not have, no
            label although the task has classes, a patient or volume that is not a text, or an invalid spacing; or the
            task has the name of a built-in task of btlib and differs from it.
    """
    where = f"{where}, sample {name}"
    if task.name in BUILT_IN and task != BUILT_IN[task.name]:
        problem = f"the task differs from btlib's built-in task of the same name {task.name!r}"
        raise DataError(problem, where=where, hint="rename the task")
    if not isinstance(sample, Sample):
        raise DataError(f"expected a Sample, got {type(sample).__name__}", where=where)
    if sample.id != name:
        raise DataError(f"id: expected {name!r}, got {sample.id!r}", where=where)
    for field in ("image", "mask"):
        if not isinstance(getattr(sample, field), np.ndarray):
            got = type(getattr(sample, field)).__name__
            raise DataError(f"{field}: expected a NumPy array, got {got}", where=where)
    for field in ("patient", "volume"):
        value = getattr(sample, field)
        if value is not None and not is_text(value):
            raise DataError(f"{field}: expected text or None, got {value!r}", where=where)
    _check_pixels(sample, task, where)
    return replace(sample, label=_label(sample, task, where), spacing=_spacing(sample, where))


def _check_pixels(sample: Sample, task: Task, where: str) -> None:
    image, mask = sample.image, sample.mask
    if image.ndim != 3 or len(image) != len(task.channels) or min(image.shape[1:]) < 2:
        expected = f"[{len(task.channels)}, h, w] of at least 2 pixels"
        raise DataError(f"image: expected {expected}, got shape {image.shape}", where=where)
    if image.dtype.kind not in "iuf" or (image.dtype.kind == "f" and not np.isfinite(image).all()):
        raise DataError(f"image: expected finite real numbers, got {image.dtype}", where=where)
    if mask.dtype != np.bool_ or mask.shape != (len(task.structures), *image.shape[1:]):
        expected = f"bool {(len(task.structures), *image.shape[1:])}"
        raise DataError(f"mask: expected {expected}, got {mask.dtype} {mask.shape}", where=where)


def _spacing(sample: Sample, where: str) -> tuple[float, float] | None:
    if sample.spacing is None:
        return None
    try:
        y, x = map(float, sample.spacing)
    except (TypeError, ValueError):
        y = x = math.nan
    if not (0 < y < math.inf and 0 < x < math.inf):
        problem = f"spacing: expected height and width in mm of a pixel, above 0, got {sample.spacing!r}"
        raise DataError(problem, where=where)
    return y, x


def _label(sample: Sample, task: Task, where: str) -> int | None:
    if (sample.label is None) != (not task.classes):
        problem = f"label: got {sample.label}, but the task {task.name!r} has {len(task.classes)} classes"
        raise DataError(problem, where=where)
    if sample.label is None:
        return None
    try:
        label = operator.index(sample.label)
    except TypeError as error:
        raise DataError(f"label: expected a whole number, got {sample.label!r}", where=where) from error
    if label not in range(len(task.classes)):
        raise DataError(f"label: expected 0…{len(task.classes) - 1}, got {label}", where=where)
    return label
