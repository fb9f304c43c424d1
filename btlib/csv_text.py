"""Tables as CSV that no spreadsheet computes with."""

import csv
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import pandas as pd

_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")  # control and format characters, and spaces


def csv_text(rows: Union[Sequence[dict[str, Any]], "pd.DataFrame"]) -> str:
    """Rows as CSV, the keys as header; no text is one that a spreadsheet would compute (see `inert`)."""
    import pandas as pd

    frame = pd.DataFrame(rows).rename(columns=inert).map(inert)
    text = frame.to_csv(index=False)
    # pandas quotes no carriage return by itself, at which readers end the row
    return text if "\r" not in text else frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def inert(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: an apostrophe is put before text that would be one.

    Text that is a number stays as it is, and so does what is no text.
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
    """Whether its first character that can be seen is an operator, be it of full width (＝)."""
    first = next((char for char in text if unicodedata.category(char) not in _UNSEEN), "")
    return unicodedata.normalize("NFKC", first) in tuple("=+-@")
