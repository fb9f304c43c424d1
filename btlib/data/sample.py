"""One sample as its source returns it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a task, before it is resized and scaled.

    Attributes:
        id: Id, a text that is unique in its data set.
        image: Intensities [channels, h, w] in the source's own numeric dtype.
        mask: True masks, bool [structures, h, w]; all may be empty.
        label: True class, 0 for the task's first class; None for a task without classes.
        patient: Patient id, None if unknown.
        volume: Volume that the sample belongs to; None if it belongs to none.
        spacing: Size of a pixel in mm, height and width; None if it is unknown. It has priority over the task's.
    """

    id: str
    image: NDArray[Any]
    mask: NDArray[np.bool_]
    label: int | None
    patient: str | None
    volume: str | None = None
    spacing: tuple[float, float] | None = None
