"""matplotlib settings for SVG figures in which text stays text."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_STYLE: Mapping[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "btlib", "text.parse_math": False}
_OTHER_LETTERS = r"Glyph \d+ .*missing from|Matplotlib currently does not support .* natively"


@contextmanager
def literal_text(style: Mapping[Any, Any] = {}) -> Iterator[None]:
    """Draw all text literally within this context: no formulas, and no warnings about glyphs missing from the font.

    The SVG contains text instead of glyph outlines, so the reader's fonts draw it.

    Args:
        style: Additional matplotlib settings.
    """
    import matplotlib as mpl

    with mpl.rc_context({**style, **_STYLE}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _OTHER_LETTERS, UserWarning)
        yield
