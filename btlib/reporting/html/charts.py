"""Figures that hold all cases side by side; each returns SVG."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btlib.reporting.html.style import ACCENT, INK, LINE, MUTED, SECOND, drawing, plain_axes, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _ROW = 5.4, 0.34  # inches
_LETTER = 0.072  # inches, of a letter of a label
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
            known = [values[y] for _, values in series if values[y] is not None]
            if known:
                axes.plot([min(known), max(known)], [y, y], color=LINE, linewidth=3, zorder=1)
        for (name, values), (marker, tint) in zip(series, styles, strict=False):
            at = [(value, y) for y, value in enumerate(values) if value is not None]
            axes.plot(*zip(*at, strict=True), marker, color=tint, markersize=6, label=name, linestyle="none")
        axes.set_xlabel(axis)
        figure.legend(loc="upper right", ncols=3, handletextpad=0.2, columnspacing=1.2, borderpad=0)
        return svg_of(figure)


def scatter(points: Sequence[tuple[str, float, float]], x_axis: str, y_axis: str) -> str:
    """Quality against throughput (logarithmic): label, images/s and value of each case."""
    with drawing(_WIDTH, 3.4) as figure:
        axes = figure.add_axes((0.13, 0.15, 0.82, 0.8))
        axes.set_xscale("log")
        axes.plot([x for _, x, _ in points], [y for _, _, y in points], "o", color=ACCENT, markersize=7, alpha=0.85)
        axes.margins(0.12, 0.15)
        axes.minorticks_off()
        axes.xaxis.set_major_formatter("{x:g}")
        ticks = _decades([x for _, x, _ in points])
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        for (label, x, y), (dx, dy) in zip(points, _apart(points), strict=True):
            axes.annotate(label, (x, y), (dx, dy), textcoords="offset points", color=INK, va="center")
        axes.set_xlabel(x_axis)
        axes.set_ylabel(y_axis)
        plain_axes(axes, "both")
        return svg_of(figure)


@contextmanager
def _rows(labels: Sequence[str], row: float = _ROW, above: float = 0.06) -> Iterator[tuple["Figure", "Axes"]]:
    """Axes with one line for each label, as high as they are many."""
    labels, below = [_short(label) for label in labels], 0.55
    height = below + above + row * len(labels)
    left = min(0.2 + _LETTER * max(len(line) for label in labels for line in label.split("\n")), 0.5 * _WIDTH)
    with drawing(_WIDTH, height) as figure:
        box = (left / _WIDTH, below / height, 1 - (left + 0.15) / _WIDTH, 1 - (below + above) / height)
        axes = figure.add_axes(box)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), labels)
        plain_axes(axes, "x")
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


def _decades(values: Sequence[float]) -> list[float]:
    """Round numbers that span some values on a logarithmic axis."""
    low, high = min(values) / 1.5, max(values) * 1.5
    steps = [m * 10.0**e for e in range(-4, 8) for m in (1, 2, 5)]
    return [step for step in steps if low <= step <= high]


def _apart(points: Sequence[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """Where labels stand, in points from theirs, so that those of near neighbours do not cover each other."""
    xs, ys = np.log10([x for _, x, _ in points]), np.array([y for _, _, y in points])
    wide, high = max(float(np.ptp(xs)), 1e-9), max(float(np.ptp(ys)), 1e-9)
    placed: list[tuple[float, float]] = []
    found: dict[int, float] = {}
    for i in np.argsort(-ys, kind="stable"):
        x, y = (xs[i] - xs.min()) / wide * 260, (ys[i] - ys.min()) / high * 150
        at = y
        while any(abs(x - px) < 40 and abs(at - py) < 12 for px, py in placed):
            at -= 3
        placed.append((x, at))
        found[int(i)] = at - y
    return [(8.0, found[i]) for i in range(len(points))]
