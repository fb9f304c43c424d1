"""The values that flow through btlib. Frozen, checked when made, free of any framework."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = ("meningioma", "glioma", "pituitary")
"""The three tumour types in label order 0, 1, 2 (the dataset's files say 1, 2, 3)."""

N_CLASSES = len(CLASS_NAMES)

Origin = Literal["figshare", "phantom"]
"""Where slices come from; every record and report carries it, so phantom numbers are never taken for real ones."""

Scaling = Literal["thesis", "percentile"]


@dataclass(frozen=True, eq=False)
class Slice:
    """One T1-weighted slice as its file holds it.

    Attributes:
        number: File number, 1-based (`7.mat` is 7).
        image: Intensities [h, w] in the file's own numeric dtype (int16 in the dataset).
        mask: Tumour mask, bool [h, w].
        label: 0 meningioma, 1 glioma, 2 pituitary.
        patient: Patient id as text, None where the file has none.
        origin: "figshare" or "phantom".
    """

    number: int
    image: NDArray[np.generic]
    mask: NDArray[np.bool_]
    label: int
    patient: str | None
    origin: Origin


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a predictor says of n slices; a part that a model does not have is None.

    Attributes:
        mask_prob: Probability of tumour for each pixel, float [n, h, w], 0…1.
        class_prob: Probability of each tumour type, float [n, 3], 0…1, each row summing to 1.
    """

    mask_prob: NDArray[np.floating] | None
    class_prob: NDArray[np.floating] | None
