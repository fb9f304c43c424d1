"""Output of a predictor, and names of options. The module needs no framework and imports quickly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scaling = Literal["thesis", "percentile", "zscore"]
"""Scaling of intensities: "thesis" divides by 255, "percentile" maps the 1st to 99th percentile to 0…1, "zscore" gives
a mean of 0 and a standard deviation of 1."""

Device = Literal["auto", "cuda", "mps", "cpu"]
"""Values of `Work.device`: "auto" takes the first of the other devices that the machine has."""

SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
DEVICES: tuple[Device, ...] = get_args(Device)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Output of a predictor for n samples; a part that the model does not have is None.

    Attributes:
        mask_prob: Probability of each structure for each pixel, float [n, structures, h, w], 0…1; also [n, h, w] if
            the task has one structure.
        class_prob: Probability of each class, float [n, classes], 0…1; each row sums to 1.
    """

    mask_prob: "NDArray[np.floating] | None"
    class_prob: "NDArray[np.floating] | None"
