"""Predictions stored in a file, for later use or from another machine."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import npz
from btlib.data.dataset import Samples
from btlib.errors import PredictionError
from btlib.evaluation.predictor import Predictor, ask
from btlib.evaluation.saved import SavedPredictions

__all__ = ["SavedPredictions", "save_predictions"]


def save_predictions(
    path: Path | str,
    samples: Samples,
    predictor: Predictor,
    positions: NDArray[np.int64] | None = None,
    batch_size: int = 16,
) -> Path:
    """Predict samples and write the predictions to a `.npz` file that `SavedPredictions` reads.

    The file appears only when it is complete.

    Args:
        path: Path of the file, with the suffix `.npz`.
        samples: Samples to predict.
        predictor: Predictor for the samples.
        positions: 0-based positions of the samples; all samples by default.
        batch_size: Number of samples per call of `predict`.

    Raises:
        PredictionError: The path has another suffix, there are no samples, or only some batches have masks or classes.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise PredictionError(f"expected a file ending in .npz, got {path.name}", where=path)
    at = np.arange(len(samples)) if positions is None else np.asarray(positions)
    batches = [at[start : start + batch_size] for start in range(0, len(at), batch_size)]
    predicted = [
        ask(predictor, samples.ids[batch], np.ascontiguousarray(samples.images[batch], dtype=np.float32))
        for batch in batches
    ]
    parts = {name: [getattr(p, name) for p in predicted] for name in ("mask_prob", "class_prob")}
    if not predicted or any(len({part is None for part in rows}) > 1 for rows in parts.values()):
        raise PredictionError("there are no samples, or only some batches have masks or classes", where=path)
    there: dict[str, Any] = {name: np.concatenate(rows) for name, rows in parts.items() if rows[0] is not None}
    npz.write_npz(path, {"id": samples.ids[at], **there})
    return path
