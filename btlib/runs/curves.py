"""The learning curves of a run's case: `curves/<case>-seed<n>.csv`."""

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from btlib import files
from btlib.errors import RecordError

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ["epoch", "train_loss", "val_loss", "val_dice", "val_accuracy"]
_HINT = "it is damaged: run the case again"


def load_curves(path: Path, sha256: str | None = None) -> "pd.DataFrame":
    """Read losses and scores by epoch; which there are beside the epoch, the case decides.

    Args:
        path: The CSV.
        sha256: Of its bytes, as the record says; None in records of older versions.

    Raises:
        RecordError: The file cannot be read, has changed, was cut short, or what should be numbers is none.
    """
    import pandas as pd

    try:
        files.require_regular(path)
        content = path.read_bytes()
        text = content.decode("utf-8")
        curves = pd.read_csv(io.StringIO(text))
    except (OSError, ValueError) as error:
        raise RecordError(
            f"expected rows of numbers, but it cannot be read: {error}", where=path, hint=_HINT
        ) from error
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise RecordError("it is not the file that its record describes", where=path, hint=_HINT)
    if not text.endswith("\n"):  # half a number looks like a number
        raise RecordError("expected a line's end at its end: it was cut short", where=path, hint=_HINT)
    if "epoch" not in curves:
        raise RecordError(f"expected a column epoch, got {', '.join(map(str, curves.columns))}", where=path, hint=_HINT)
    for name in curves.columns.intersection(_NUMBERS):
        if not pd.api.types.is_numeric_dtype(curves[name]):
            raise RecordError(f"expected numbers in {name}, got {curves[name].dtype}", where=path, hint=_HINT)
    return curves
