"""Learning curves of a case in a run: `curves/<case>-seed<n>.csv`."""

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from btlib import files
from btlib.errors import RecordError

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ["epoch", "train_loss", "val_loss", "val_dice", "val_accuracy"]
_HINT = "the file is damaged: run the case again"


def load_curves(path: Path, sha256: str | None = None) -> "pd.DataFrame":
    """Read losses and scores by epoch. The case decides which columns exist in addition to the epoch.

    Args:
        path: Path of the CSV file.
        sha256: SHA-256 of the file's bytes, from the record; None for records of older versions.

    Raises:
        RecordError: The file cannot be read, has changed, is incomplete, or contains text in a column of numbers.
    """
    import pandas as pd

    try:
        files.require_regular(path)
        content = path.read_bytes()
        text = content.decode("utf-8")
        curves = pd.read_csv(io.StringIO(text))
    except (OSError, ValueError) as error:
        raise RecordError(
            f"expected rows of numbers, but the file cannot be read: {error}", where=path, hint=_HINT
        ) from error
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise RecordError("the file differs from the one described in its record", where=path, hint=_HINT)
    if not text.endswith("\n"):  # a truncated number looks like a complete one
        raise RecordError("expected a line break at the end: the file is incomplete", where=path, hint=_HINT)
    if "epoch" not in curves:
        raise RecordError(f"expected a column epoch, got {', '.join(map(str, curves.columns))}", where=path, hint=_HINT)
    for name in curves.columns.intersection(_NUMBERS):
        if not pd.api.types.is_numeric_dtype(curves[name]):
            raise RecordError(f"expected numbers in {name}, got {curves[name].dtype}", where=path, hint=_HINT)
    return curves
