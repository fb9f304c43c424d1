"""What a predictor gives, and the names that users choose from. Free of any framework, and quick to import."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scaling = Literal["thesis", "percentile"]
"""What is done to intensities: divided by 255, or 1st to 99th percentile to 0…1."""

Device = Literal["auto", "cuda", "mps", "cpu"]
"""What `Work.device` may be: "auto" takes the first of the others that the machine has."""

SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
DEVICES: tuple[Device, ...] = get_args(Device)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a predictor says of n samples; a part that a model does not have is None.

    Attributes:
        mask_prob: Probability of each structure for each pixel, float [n, structures, h, w], 0…1; [n, h, w] is the
            same where the task has one structure.
        class_prob: Probability of each class, float [n, classes], 0…1, each row summing to 1.
    """

    mask_prob: "NDArray[np.floating] | None"
    class_prob: "NDArray[np.floating] | None"
