"""Charts that compare all cases; each function returns SVG."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btlib.reporting.axes import difference_limits
from btlib.reporting.html.style import drawing, plain_axes, svg_of
from btlib.reporting.names import shortened, width
from btlib.reporting.palette import ACCENT, INK, LINE, MUTED, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _ROW = 5.4, 0.34  # inches
_LETTER = 0.072  # inches per character of a label
_LINE = 0.16  # inches per additional line of a label
_MOST = 30  # columns of a name in a label
_FAR = 8  # the speed axis is logarithmic above this ratio of speeds
_BESIDE, _NAME = 3, 20  # groups per line of the legend, columns of a group's name
_MARKERS, _TINTS = "os^DvPX", (ACCENT, SECOND, INK)  # the combinations repeat after 21 groups
_LEAST = 5  # minimum number of samples for drawing quartiles

Limits = tuple[float | None, float | None]
"""Lower and upper limit of an axis (see `btlib.reporting.axes`)."""


@dataclass(frozen=True)
class Bar:
    """One line of a forest plot."""

    label: str
    value: float
    low: float
    high: float
    colour: str


def forest(bars: Sequence[Bar], margins: Sequence[float | None], axis: str) -> str:
    """Draw differences with their intervals, one per line, on an axis centred at 0; tolerated losses are marked.

    Args:
        bars: Differences, top first.
        margins: Largest tolerated loss of each, as a signed difference; None without a margin.
        axis: Title of the axis.
    """
    with _rows([bar.label for bar in bars]) as (figure, axes):
        axes.axvline(0, color=MUTED, linewidth=1)
        for y, (bar, margin) in enumerate(zip(bars, margins, strict=True)):
            axes.plot([bar.low, bar.high], [y, y], color=bar.colour, linewidth=2.2, solid_capstyle="round")
            axes.plot(bar.value, y, "o", color=bar.colour, markersize=6)
            if margin is not None:
                axes.plot([margin, margin], [y - 0.36, y + 0.36], color=MUTED, linewidth=1.2, linestyle=(0, (2, 2)))
        axes.set_xlim(difference_limits(*(end for bar in bars for end in (bar.low, bar.value, bar.high)), *margins))
        axes.set_xlabel(axis)
        return svg_of(figure)


def boxes(rows: Sequence[tuple[str, NDArray[np.float64]]], axis: str, limits: Limits) -> str:
    """Draw every sample as a point, and box plots with whiskers at 1.5 interquartile ranges for 5 samples or more.

    Args:
        rows: Label and values of the samples, top first.
        axis: Title of the axis.
        limits: Limits of the axis.
    """
    labels = [f"{short(label)}\nn = {len(values)}" for label, values in rows]
    with _rows(labels, row=0.62) as (figure, axes):
        for y, (_, values) in enumerate(rows):
            spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(values))
            size = 3.2 if len(values) < 100 else 2.2
            axes.plot(values, y + spread, "o", color=ACCENT, alpha=0.28, markersize=size, markeredgewidth=0)
            if len(values) >= _LEAST:
                _box(axes, values, y)
            axes.plot(values.mean(), y, "D", color=SECOND, markersize=5)
        axes.set_xlim(*limits)
        axes.set_xlabel(f"{axis}; diamond: mean")
        return svg_of(figure)


def dots(labels: Sequence[str], series: Sequence[tuple[str, Sequence[float | None]]], axis: str, limits: Limits) -> str:
    """Draw the mean of each case and group, one line per case.

    Args:
        labels: Labels of the cases, top first.
        series: Name of each group and its values by case; None if a case has no value.
        axis: Title of the axis.
        limits: Limits of the axis.
    """
    lines = -(-len(series) // _BESIDE)  # lines of the legend
    with _rows(list(map(short, labels)), above=0.14 + 0.2 * lines) as (figure, axes):
        for y in range(len(labels)):
            known = [value for _, values in series if (value := values[y]) is not None]
            if known:
                axes.plot([min(known), max(known)], [y, y], color=LINE, linewidth=3, zorder=1)
        marks = []
        for (_, values), marker, tint in zip(series, cycle(_MARKERS), cycle(_TINTS), strict=False):
            there = [(value, y) for y, value in enumerate(values) if value is not None]
            x, rows = [value for value, _ in there], [y for _, y in there]
            marks += axes.plot(x, rows, marker, color=tint, markersize=6, linestyle="none")
        axes.set_xlim(*limits)
        axes.set_xlabel(axis)
        names = [short(name, _NAME) for name, _ in series]
        figure.legend(marks, names, loc="upper right", ncols=_BESIDE, handletextpad=0.2, columnspacing=1.2, borderpad=0)
        return svg_of(figure)


def scatter(points: Sequence[tuple[str, float, float]], x_axis: str, y_axis: str, limits: Limits) -> str:
    """Draw quality against throughput; the throughput axis is logarithmic if speeds differ much.

    Args:
        points: Label, images/s and value of each case.
        x_axis: Title of the throughput axis.
        y_axis: Title of the value axis.
        limits: Limits of the value axis.
    """
    with drawing(_WIDTH, 3.3) as figure:
        axes = figure.add_axes((0.13, 0.14, 0.82, 0.82))
        speeds = [x for _, x, _ in points]
        if max(speeds) > _FAR * min(speeds):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        axes.plot(speeds, [y for _, _, y in points], "o", color=ACCENT, markersize=7, alpha=0.85)
        axes.margins(x=0.14)
        axes.autoscale_view()
        axes.set_ylim(*limits)
        at = axes.transData.transform([(x, y) for _, x, y in points]) * 72 / figure.dpi
        labels = [short(label) for label, _, _ in points]
        offsets = _apart(at, list(map(width, labels)))
        for label, (_, x, y), offset in zip(labels, points, offsets, strict=True):
            axes.annotate(label, (x, y), offset, textcoords="offset points", color=INK, ha="left", va="center")
        axes.set_xlabel(x_axis)
        axes.set_ylabel(y_axis)
        plain_axes(axes, "both")
        return svg_of(figure)


def short(label: str, most: int = _MOST) -> str:
    """Return a label that fits next to an axis."""
    return shortened(label, most)


def both(first: str, between: str, second: str) -> str:
    """Return a label of two cases, on two lines if one line is too short."""
    line = f"{first} {between} {second}"
    if width(line) <= _MOST:
        return line
    return f"{short(first)}\n{between} {short(second, _MOST - width(between) - 1)}"


@contextmanager
def _rows(labels: Sequence[str], row: float = _ROW, above: float = 0.06) -> Iterator[tuple["Figure", "Axes"]]:
    """Yield a figure and axes with one line for each label; the height follows the number of labels."""
    below, lines = 0.46, [line for label in labels for line in label.split("\n")]
    height = below + above + (row if "\n" not in "".join(labels) else max(row, _ROW + _LINE)) * len(labels)
    left = min(0.2 + _LETTER * max(map(width, lines)), 0.5 * _WIDTH)
    with drawing(_WIDTH, height) as figure:
        box = (left / _WIDTH, below / height, 1 - (left + 0.15) / _WIDTH, 1 - (below + above) / height)
        axes = figure.add_axes(box)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), labels)
        plain_axes(axes, "x")
        axes.locator_params(axis="x", nbins=6)
        yield figure, axes


def _box(axes: "Axes", values: NDArray[np.float64], y: float) -> None:
    axes.boxplot(
        values,
        positions=[y],
        widths=0.5,
        orientation="horizontal",
        showfliers=False,
        manage_ticks=False,
        boxprops={"color": INK, "linewidth": 1.1},
        whiskerprops={"color": INK, "linewidth": 1.1},
        capprops={"color": INK, "linewidth": 1.1},
        medianprops={"color": INK, "linewidth": 2},
    )


def _apart(at: NDArray[np.float64], letters: Sequence[int]) -> list[tuple[float, float]]:
    """Return an offset for the label of each point [n, 2], so that labels do not cover points or other labels."""
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in at]
    found = []
    for (x, y), n in zip(at, letters, strict=True):
        wide = 6.0 * n
        sides, middle = (8.0, -8.0 - wide), -wide / 2
        offsets = [(dx, 0.0) for dx in sides]
        offsets += [(dx, dy) for dy in (11.0, -11.0, 22.0, -22.0, 33.0, -33.0) for dx in (middle, *sides)]
        boxes = [(x + dx, y + dy - 5, x + dx + wide, y + dy + 5) for dx, dy in offsets]
        free = next((i for i, box in enumerate(boxes) if not any(_cover(box, other) for other in taken)), 0)
        taken.append(boxes[free])
        found.append(offsets[free])
    return found


def _cover(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
