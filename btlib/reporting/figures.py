"""Figures drawn with matplotlib without a display, written as SVG in which text stays text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from btlib.decimals import decimals
from btlib.files import atomic_path
from btlib.reporting.drawing import literal_text
from btlib.reporting.names import shortened, visible, width
from btlib.reporting.numbers import number, p_value
from btlib.reporting.significance import PairTest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL, _LETTER = 0.85, 0.09  # inches
_MOST = 24  # columns of a case's name


def significance_matrix(tests: Sequence[PairTest], path: Path) -> None:
    """Draw one panel per metric: each cell shows the row's mean minus the column's mean, and the Holm-corrected p."""
    metrics = list(dict.fromkeys(test.metric for test in tests))
    names = sorted({name for test in tests for name in (test.first, test.second)})
    side, room = _CELL * len(names), _LETTER * max(map(width, map(_label, names)))
    figure = new_figure((len(metrics) * (side + room + 1.2), side + room + 0.8))
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        _panel(axes, metric, [test for test in tests if test.metric == metric])
    save(figure, path)


def new_figure(size: tuple[float, float]) -> "Figure":
    """Return an empty figure of a size in inches, outside pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as SVG, atomically, with literal text; the same figure gives the same bytes."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # text that was created before `literal_text` is active
    with literal_text(), atomic_path(path) as partial:
        figure.savefig(partial, format="svg", metadata={"Date": None})


def _panel(axes: "Axes", metric: str, tests: Sequence[PairTest]) -> None:
    names = sorted({name for test in tests for name in (test.first, test.second)})
    at = {name: i for i, name in enumerate(names)}
    grid = np.full((len(names), len(names)), np.nan)
    for test in tests:
        grid[at[test.first], at[test.second]] = test.difference
        grid[at[test.second], at[test.first]] = -test.difference
    reach = max(float(np.nanmax(np.abs(grid))), 1e-9)
    axes.imshow(grid, cmap="RdBu", vmin=-reach, vmax=reach)
    for test in tests:
        form = f"+.{decimals(test.margin) - 1}f"
        for row, column, sign in ((test.first, test.second, 1), (test.second, test.first, -1)):
            dark = abs(test.difference) > 0.6 * reach
            axes.text(
                at[column],
                at[row],
                f"{number(sign * test.difference, form)}\np {p_value(test.p_holm, test.p_holm_is_bound)}",
                ha="center",
                va="center",
                fontsize=8,
                fontweight="bold" if test.different else "normal",
                color="white" if dark else "black",
            )
    labels = list(map(_label, names))
    long = any(_LETTER * width(label) > _CELL for label in labels)
    axes.set_xticks(range(len(names)), labels, rotation=90 if long else 0)
    axes.set_yticks(range(len(names)), labels)
    axes.set_title(f"{metric}: row − column, Holm p")


def _label(name: str) -> str:
    return shortened(visible(name), _MOST)
