"""What a predictor gives, and the names of what is done to intensities. Free of any framework."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scaling = Literal["thesis", "percentile"]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a predictor says of n samples; a part that a model does not have is None.

    Attributes:
        mask_prob: Probability of each structure for each pixel, float [n, structures, h, w], 0…1; [n, h, w] is the
            same where the task has one structure.
        class_prob: Probability of each class, float [n, classes], 0…1, each row summing to 1.
    """

    mask_prob: NDArray[np.floating] | None
    class_prob: NDArray[np.floating] | None
