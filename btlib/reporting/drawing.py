"""How matplotlib writes pictures: SVG in which text is text, whatever letters and signs it is made of."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_STYLE: Mapping[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "btlib", "text.parse_math": False}
_OTHER_LETTERS = r"Glyph \d+ .*missing from|Matplotlib currently does not support .* natively"


@contextmanager
def literal_text(style: Mapping[Any, Any] = {}) -> Iterator[None]:
    """While it lasts, text is no formula, and letters that matplotlib's own font lacks are no warning.

    The reader's fonts draw them: a picture names its letters, and has no shapes of them.

    Args:
        style: Other settings of matplotlib.
    """
    import matplotlib as mpl

    with mpl.rc_context({**style, **_STYLE}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _OTHER_LETTERS, UserWarning)
        yield
