"""Pieces of text that several reports share."""

from collections.abc import Sequence
from typing import Any

PHANTOM_NOTE = "PHANTOM DATA: synthetic slices; these numbers say nothing about patients."


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as CSV, the keys as header."""
    import pandas as pd

    return str(pd.DataFrame(rows).to_csv(index=False))
