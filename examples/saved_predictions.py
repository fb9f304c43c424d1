"""Predictions from another machine, looked up by sample id.

    btlib data phantom phantoms --slices 240                        # the samples of the smoke tier
    python examples/saved_predictions.py phantoms predictions.npz   # on the other machine
    btlib check examples/saved_predictions.py::saved
    pytest benchmarks -m smoke --bt-case examples/saved_predictions.py::saved

Any program can write the file: `.npz` or HDF5 with `id`, text [n], and `mask_prob` [n, h, w] or `class_prob` [n, 3] or
both. The environment variable PREDICTIONS selects another file than predictions.npz.
"""

import os
import sys

import numpy as np
from numpy.typing import NDArray

from btlib.adapters import CallablePredictor, SavedPredictions, save_predictions
from btlib.cases import Prepared, Work, case
from btlib.data import load_dataset
from btlib.types import Predictions

SIDE = 96  # side of the masks in the file, in pixels


@case("saved", "predictions made elsewhere", has_mask=True, has_classes=False, image_size=SIDE, scaling="percentile")
def prepare(work: Work) -> Prepared:
    """Open the file."""
    return Prepared(SavedPredictions(os.environ.get("PREDICTIONS", "predictions.npz")), "given")


def bright(images: NDArray[np.float32]) -> Predictions:
    """Placeholder for your model: the mask probability is the brightness of the pixel."""
    return Predictions(mask_prob=np.clip(images, 0, 1), class_prob=None)


if __name__ == "__main__":
    folder, out = sys.argv[1:]
    slices = load_dataset(folder, SIDE, "percentile")
    print(save_predictions(out, slices, CallablePredictor(bright)))
