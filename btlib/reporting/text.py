"""Pieces of text that several reports share."""

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import pandas as pd

PHANTOM_NOTE = "PHANTOM DATA: synthetic slices; these numbers say nothing about patients."


def csv_text(rows: Union[Sequence[dict[str, Any]], "pd.DataFrame"]) -> str:
    """Rows as CSV, the keys as header."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    text = frame.to_csv(index=False)
    # pandas quotes no carriage return by itself, at which readers end the row
    return text if "\r" not in text else frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
