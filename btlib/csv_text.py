"""CSV tables whose texts a spreadsheet does not execute as formulas."""

import csv
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import pandas as pd

_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")  # control and format characters, and spaces


def csv_text(rows: Union[Sequence[dict[str, Any]], "pd.DataFrame"]) -> str:
    """Convert rows to CSV with the keys as header; texts that would be formulas are escaped (see `inert`)."""
    import pandas as pd

    frame = pd.DataFrame(rows).rename(columns=inert).map(inert)
    text = frame.to_csv(index=False)
    # pandas does not quote carriage returns, but readers end the row there
    return text if "\r" not in text else frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def inert(value: Any) -> Any:
    """Return a cell that no spreadsheet treats as a formula: text that would be one gets a leading apostrophe.

    Texts that are numbers, and values that are not texts, stay as they are.
    See https://owasp.org/www-community/attacks/CSV_Injection.

    >>> inert("=1+1"), inert("-0.5"), inert("healthy"), inert(-1)
    ("'=1+1", '-0.5', 'healthy', -1)
    """
    if not isinstance(value, str) or not (value.startswith(("\t", "\r", "\n")) or _begins_formula(value)):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _begins_formula(text: str) -> bool:
    """Whether the first visible character of a text is an operator, also a full-width one (＝)."""
    first = next((char for char in text if unicodedata.category(char) not in _UNSEEN), "")
    return unicodedata.normalize("NFKC", first) in tuple("=+-@")
