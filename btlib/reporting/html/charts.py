"""Figures that hold all cases side by side; each returns SVG."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btlib.reporting.html.style import drawing, plain_axes, svg_of
from btlib.reporting.palette import ACCENT, INK, LINE, MUTED, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _ROW = 5.4, 0.34  # inches
_LETTER = 0.072  # inches, of a letter of a label
_FAR = 8  # from this ratio of speeds on, their axis is logarithmic
_LEAST = 5  # slices from which quartiles are drawn; of fewer, the points say all


@dataclass(frozen=True)
class Bar:
    """One line of a forest plot."""

    label: str
    value: float
    low: float
    high: float
    colour: str


def forest(bars: Sequence[Bar], margins: Sequence[float | None], axis: str) -> str:
    """Differences with their intervals, one a line, zero and the tolerated loss marked.

    Args:
        bars: Top first.
        margins: The change at which the loss of each is too large, signed; None where nothing is tolerated.
        axis: Title of the axis.
    """
    with _rows([bar.label for bar in bars]) as (figure, axes):
        axes.axvline(0, color=MUTED, linewidth=1)
        for y, (bar, margin) in enumerate(zip(bars, margins, strict=True)):
            axes.plot([bar.low, bar.high], [y, y], color=bar.colour, linewidth=2.2, solid_capstyle="round")
            axes.plot(bar.value, y, "o", color=bar.colour, markersize=6)
            if margin is not None:
                axes.plot([margin, margin], [y - 0.36, y + 0.36], color=MUTED, linewidth=1.2, linestyle=(0, (2, 2)))
        axes.set_xlabel(axis)
        return svg_of(figure)


def boxes(rows: Sequence[tuple[str, NDArray[np.float64]]], axis: str, low: float | None, high: float | None) -> str:
    """Every slice as a point, and quartiles with whiskers at 1.5 times their distance where slices are enough.

    Args:
        rows: Label and the values of the slices, top first.
        axis: Title of the axis.
        low: Left end of the axis; None lets the values say.
        high: Right end.
    """
    labels = [f"{label}\nn = {len(values)}" for label, values in rows]
    with _rows(labels, row=0.62) as (figure, axes):
        for y, (_, values) in enumerate(rows):
            spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(values))
            size = 3.2 if len(values) < 100 else 2.2
            axes.plot(values, y + spread, "o", color=ACCENT, alpha=0.28, markersize=size, markeredgewidth=0)
            if len(values) >= _LEAST:
                _box(axes, values, y)
            axes.plot(values.mean(), y, "D", color=SECOND, markersize=5)
        axes.set_xlim(low, high)
        axes.set_xlabel(f"{axis}; the diamond is the mean")
        return svg_of(figure)


def dots(labels: Sequence[str], series: Sequence[tuple[str, Sequence[float | None]]], axis: str) -> str:
    """A mean for each case and group, one line a case.

    Args:
        labels: Of the cases, top first.
        series: Name of each group (up to three) and its value by case; None where a case has none.
        axis: Title of the axis.
    """
    styles = (("o", ACCENT), ("s", SECOND), ("^", INK))
    with _rows(labels, above=0.34) as (figure, axes):
        for y in range(len(labels)):
            known = [value for _, values in series if (value := values[y]) is not None]
            if known:
                axes.plot([min(known), max(known)], [y, y], color=LINE, linewidth=3, zorder=1)
        for (name, values), (marker, tint) in zip(series, styles, strict=False):
            at = [(value, y) for y, value in enumerate(values) if value is not None]
            axes.plot(*zip(*at, strict=True), marker, color=tint, markersize=6, label=name, linestyle="none")
        axes.set_xlabel(axis)
        figure.legend(loc="upper right", ncols=3, handletextpad=0.2, columnspacing=1.2, borderpad=0)
        return svg_of(figure)


def scatter(points: Sequence[tuple[str, float, float]], x_axis: str, y_axis: str) -> str:
    """Quality against throughput: label, images/s and value of each case. Logarithmic where speeds are far apart."""
    with drawing(_WIDTH, 3.3) as figure:
        axes = figure.add_axes((0.13, 0.14, 0.82, 0.82))
        speeds = [x for _, x, _ in points]
        if max(speeds) > _FAR * min(speeds):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        axes.plot(speeds, [y for _, _, y in points], "o", color=ACCENT, markersize=7, alpha=0.85)
        axes.margins(0.14, 0.16)
        axes.autoscale_view()
        at = axes.transData.transform([(x, y) for _, x, y in points]) * 72 / figure.dpi
        for (label, x, y), offset in zip(points, _apart(at, [len(label) for label, _, _ in points]), strict=True):
            axes.annotate(_short(label), (x, y), offset, textcoords="offset points", color=INK, ha="left", va="center")
        axes.set_xlabel(x_axis)
        axes.set_ylabel(y_axis)
        plain_axes(axes, "both")
        return svg_of(figure)


@contextmanager
def _rows(labels: Sequence[str], row: float = _ROW, above: float = 0.06) -> Iterator[tuple["Figure", "Axes"]]:
    """Axes with one line for each label, as high as they are many."""
    labels, below = [_short(label) for label in labels], 0.46
    height = below + above + row * len(labels)
    left = min(0.2 + _LETTER * max(len(line) for label in labels for line in label.split("\n")), 0.5 * _WIDTH)
    with drawing(_WIDTH, height) as figure:
        box = (left / _WIDTH, below / height, 1 - (left + 0.15) / _WIDTH, 1 - (below + above) / height)
        axes = figure.add_axes(box)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), labels)
        plain_axes(axes, "x")
        axes.locator_params(axis="x", nbins=6)
        yield figure, axes


def _short(label: str, most: int = 30) -> str:
    return "\n".join(line if len(line) <= most else line[: most - 1] + "…" for line in label.split("\n"))


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
    """Where labels stand, in points from theirs [n, 2], so that they cover neither points nor each other."""
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
