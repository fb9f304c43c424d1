"""Verdicts' tones, and from matplotlib's SVG to SVG that lives in a page: its colours follow the page's theme."""

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
    "regressed": "bad",
    "reference": "plain",
    "measured": "plain",
}
"""A verdict's tone; those that are missing here could not be judged, which is "off"."""

_COLOURS = {"good": GOOD, "warn": WARN, "bad": BAD, "plain": ACCENT, "off": MUTED}


def tone(status: str) -> str:
    """The tone of a verdict: good, warn, bad, plain or off."""
    return TONES.get(status, "off")


def colour(status: str) -> str:
    """The colour of a verdict."""
    return _COLOURS[tone(status)]


@contextmanager
def drawing(width: float, height: float) -> Iterator["Figure"]:
    """A figure of so many inches in the report's style; draw and take its SVG within."""
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
    """The figure as SVG, text as text; the same figure gives the same text."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return out.getvalue()


def inline(svg: str, name: str, title: str) -> str:
    """SVG for a page: without prolog and size, its ids under the figure's own name, its colours the page's.

    Args:
        svg: As `svg_of` gives it.
        name: Unique in the page: letters, digits, "-".
        title: What the figure shows, for those who do not see it.
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
    """A tag with ids under the figure's own name and the page's colours and font; text between tags stays as it is."""
    tag = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r"(url\(|href=\")#", rf"\g<1>#{name}-", tag).replace("xlink:href", "href")
    for value, variable in _VARIABLES.items():
        tag = tag.replace(value, f"var({variable})")
    return re.sub(r" ?font-family: [^;\"]*;?", "", tag)


def plain_axes(axes: "Axes", grid: str) -> None:
    """Grid along one axis, no ticks sticking out."""
    axes.tick_params(length=0)
    axes.grid(visible=True, axis=grid)  # type: ignore[arg-type]  # "x", "y" or "both"
    if grid in ("x", "y"):
        axes.spines["left" if grid == "x" else "bottom"].set_visible(False)
