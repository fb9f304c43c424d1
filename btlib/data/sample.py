"""One sample as its source gives it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.data.task import Task
from btlib.errors import DataError


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a task, before it is resized and scaled.

    Attributes:
        id: Text, unique in its data set.
        image: Intensities [channels, h, w] in the source's own numeric dtype.
        mask: True masks, bool [structures, h, w]; all may be empty.
        label: True class, 0 for the task's first; None for a task without classes.
        patient: Patient id, None where unknown.
        volume: The volume that it is a part of; None where it stands alone.
    """

    id: str
    image: NDArray[Any]
    mask: NDArray[np.bool_]
    label: int | None
    patient: str | None
    volume: str | None = None


def checked(sample: Sample, name: str, task: Task, where: str) -> Sample:
    """The same sample, if it is the one that was asked for, and one of the task.

    Args:
        sample: As a source gave it.
        name: Its id.
        task: What its source says.
        where: Named in errors.

    Raises:
        DataError: Another id, another number of channels or structures, a mask of another size or dtype, intensities
            that are no finite numbers, a label that the task does not have, or none where it has classes.
    """
    where = f"{where}, sample {name}"
    if sample.id != name:
        raise DataError(f"id: expected {name!r}, got {sample.id!r}", where=where)
    image, mask = sample.image, sample.mask
    if image.ndim != 3 or len(image) != len(task.channels) or min(image.shape[1:]) < 2:
        expected = f"[{len(task.channels)}, h, w] of at least 2 pixels"
        raise DataError(f"image: expected {expected}, got shape {image.shape}", where=where)
    if image.dtype.kind not in "iuf" or (image.dtype.kind == "f" and not np.isfinite(image).all()):
        raise DataError(f"image: expected finite real numbers, got {image.dtype}", where=where)
    if mask.dtype != np.bool_ or mask.shape != (len(task.structures), *image.shape[1:]):
        expected = f"bool {(len(task.structures), *image.shape[1:])}"
        raise DataError(f"mask: expected {expected}, got {mask.dtype} {mask.shape}", where=where)
    if (sample.label is None) != (not task.classes):
        raise DataError(
            f"label: got {sample.label}, and the task {task.name!r} has {len(task.classes)} classes", where=where
        )
    if sample.label is not None and sample.label not in range(len(task.classes)):
        raise DataError(f"label: expected 0…{len(task.classes) - 1}, got {sample.label}", where=where)
    return sample
