"""One sample as its source gives it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
