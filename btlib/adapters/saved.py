"""Predictions made now for later, or on another machine: a file that is a predictor."""

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
    """Predict samples and write them to a `.npz` file that `SavedPredictions` reads; the file appears when it is whole.

    Args:
        path: The file; ends in `.npz`.
        samples: The samples.
        predictor: Predicts them.
        positions: Which samples, 0-based; all by default.
        batch_size: Samples handed to `predict` at once.

    Raises:
        PredictionError: The path has another ending, there are no samples, or only some have masks or classes.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise PredictionError(f"expected a file ending in .npz, got {path.name}", where=path)
    at = np.arange(len(samples)) if positions is None else np.asarray(positions)
    batches = [at[start : start + batch_size] for start in range(0, len(at), batch_size)]
    said = [
        ask(predictor, samples.ids[batch], np.ascontiguousarray(samples.images[batch], dtype=np.float32))
        for batch in batches
    ]
    parts = {name: [getattr(p, name) for p in said] for name in ("mask_prob", "class_prob")}
    if not said or any(len({part is None for part in rows}) > 1 for rows in parts.values()):
        raise PredictionError("nothing to save, or masks or classes in some batches only", where=path)
    there: dict[str, Any] = {name: np.concatenate(rows) for name, rows in parts.items() if rows[0] is not None}
    npz.write_npz(path, {"id": samples.ids[at], **there})
    return path
