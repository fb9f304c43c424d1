"""Tones of verdicts, and conversion of matplotlib's SVG to inline SVG whose colours follow the page's theme."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from btlib.reporting.drawing import literal_text
from btlib.reporting.palette import ACCENT, BAD, GOOD, INK, LINE, MUTED, SECOND, WARN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    ACCENT: "--accent",
    SECOND: "--second",
    GOOD: "--good",
    WARN: "--warn",
    BAD: "--bad",
}

_TAG = re.compile(r"<[^>]*>")

TONES = {
    "improved": "good",
    "pass": "good",
    "inconclusive": "warn",
    "suspect": "warn",
    "regressed": "bad",
    "reference": "plain",
    "measured": "plain",
}
"""Verdict → tone; all other verdicts have the tone "off"."""

_COLOURS = {"good": GOOD, "warn": WARN, "bad": BAD, "plain": ACCENT, "off": MUTED}


def tone(status: str) -> str:
    """Return the tone of a verdict: good, warn, bad, plain or off."""
    return TONES.get(status, "off")


def colour(status: str) -> str:
    """Return the colour of a verdict."""
    return _COLOURS[tone(status)]


@contextmanager
def drawing(width: float, height: float) -> Iterator["Figure"]:
    """Yield a figure in the report's style, with width and height in inches; draw and export it in this context."""
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 9.5,
        "font.family": "sans-serif",
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": LINE,
        "axes.titlecolor": INK,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": LINE,
        "ytick.color": LINE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": INK,
        "grid.color": LINE,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    with literal_text(style):
        yield Figure(figsize=(width, height))


def svg_of(figure: "Figure") -> str:
    """Return the figure as SVG in which text stays text; the same figure gives the same SVG."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return out.getvalue()


def inline(svg: str, name: str, title: str) -> str:
    """Convert SVG for use in a page: without prolog and size, with unique ids and with the page's colours.

    Args:
        svg: SVG from `svg_of`.
        name: Prefix of the ids, unique in the page: letters, digits, "-".
        title: Text alternative: what the figure shows.
    """
    from html import escape

    body = svg[svg.index("<svg") :]
    body = re.sub(r"\s*<metadata>.*?</metadata>|\s*<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]*)"', body)
    opening = f'<svg viewBox="{box[1] if box else "0 0 1 1"}" role="img" aria-label="{escape(title)}">'
    used = set(re.findall(r"(?:url\(|href=\")#([^\")]+)", "".join(_TAG.findall(body))))
    body = _TAG.sub(lambda tag: _tag_of_page(tag[0], name, used), body)
    return re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1).strip()


def _tag_of_page(tag: str, name: str, used: set[str]) -> str:
    """Convert one tag: prefixed ids, and the page's colours and font; text between tags is not changed."""
    tag = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r"(url\(|href=\")#", rf"\g<1>#{name}-", tag).replace("xlink:href", "href")
    for value, variable in _VARIABLES.items():
        tag = tag.replace(value, f"var({variable})")
    return re.sub(r" ?font-family: [^;\"]*;?", "", tag)


def plain_axes(axes: "Axes", grid: str) -> None:
    """Draw grid lines along `grid` ("x", "y" or "both") and hide tick marks."""
    axes.tick_params(length=0)
    axes.grid(visible=True, axis=grid)  # type: ignore[arg-type]  # "x", "y" or "both"
    if grid in ("x", "y"):
        axes.spines["left" if grid == "x" else "bottom"].set_visible(False)
