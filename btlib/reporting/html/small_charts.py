"""Small charts of equal size, one per case; each function returns SVG."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btlib.metrics.calibration import Bins
from btlib.reporting.axes import SHARE
from btlib.reporting.html.style import drawing, plain_axes, svg_of
from btlib.reporting.names import shortened
from btlib.reporting.palette import ACCENT, INK, MUTED, SECOND

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

_SIZE = (2.9, 2.5)  # inches
_MOST, _NAME = 26, 11  # columns of a title, and of a class name next to a row
_FEW = 40  # up to this number of epochs, each epoch has a marker


def confusion(counts: NDArray[np.int64], classes: Sequence[str], title: str) -> str:
    """Draw a confusion matrix; rows are true classes, and the colour of a cell shows its share of the row.

    Args:
        counts: Number of samples by true and predicted class, int64 [classes, classes].
        classes: Names of the classes.
        title: Label of the case.
    """
    from matplotlib.colors import to_rgba

    with drawing(*_SIZE) as figure:
        axes = figure.add_axes((0.31, 0.19, 0.66, 0.67), title=shortened(title, _MOST))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        for (row, column), count in np.ndenumerate(counts):
            share = float(shares[row, column])
            face = to_rgba(ACCENT if row == column else SECOND, 0.45 * share)
            axes.add_patch(_cell(column, row, face))
            axes.text(column, row - 0.1, str(count), ha="center", va="center", fontsize=11)
            axes.text(column, row + 0.26, f"{share:.0%}", ha="center", va="center", fontsize=7.5, color=MUTED)
        axes.set(xlim=(-0.5, len(counts) - 0.5), ylim=(len(counts) - 0.5, -0.5))
        names = [name[:4] + "." for name in classes]
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), [shortened(name, _NAME) for name in classes])
        axes.set_xlabel("predicted")
        axes.tick_params(length=0, labelsize=8.5)
        axes.spines[:].set_visible(False)
        return svg_of(figure)


def calibration(bins: Bins, error: float, title: str) -> str:
    """Draw accuracy against probability by bin; the size of a point shows the number of samples.

    Args:
        bins: Bins of the samples by predicted probability.
        error: Expected calibration error, 0…1.
        title: Label of the case.
    """
    there = bins.count > 0
    count = bins.count[there]
    confidence, accuracy = bins.confidence[there] / count, bins.right[there] / count
    with drawing(*_SIZE) as figure:
        axes = _axes(figure, title)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        axes.plot(confidence, accuracy, color=ACCENT, linewidth=1, alpha=0.6)
        for x, y, n in zip(confidence, accuracy, count, strict=True):
            size = 3 + 9 * float(np.sqrt(n / count.max()))
            axes.plot(x, y, "o", color=ACCENT, alpha=0.75, markersize=size, clip_on=False)
        axes.text(0.97, 0.05, f"error {error:.3f}", transform=axes.transAxes, ha="right", color=INK)
        axes.set(xlim=SHARE, ylim=SHARE, xlabel="probability of the predicted class", ylabel="accuracy")
        return svg_of(figure)


def thresholds(curves: Sequence[tuple[Sequence[float], Sequence[float]]], used: Sequence[float], title: str) -> str:
    """Draw the mean Dice at every threshold, one line per seed; the thresholds of the measured masks are marked.

    Args:
        curves: Thresholds and mean Dice of each seed.
        used: Thresholds of the measured masks: the protocol's, or each model's own; each once.
        title: Label of the case.
    """
    with drawing(*_SIZE) as figure:
        axes = _axes(figure, title)
        for x, y in curves:
            axes.plot(x, y, color=ACCENT, linewidth=1.6)
        for k, value in enumerate(used):
            axes.axvline(value, color=SECOND, linewidth=1.2, linestyle=(0, (3, 3)))
            axes.text(value, 1.0 - 0.12 * k, f" {value:g}", color=SECOND, va="top", fontsize=8.5)
        axes.set(xlim=SHARE, ylim=SHARE, xlabel="threshold", ylabel="mean Dice")
        return svg_of(figure)


def learning(curves: "pd.DataFrame", title: str) -> str:
    """Draw losses by epoch above and validation scores below.

    Args:
        curves: Columns epoch, train_loss, val_loss, and, if the case has them, val_dice and val_accuracy.
        title: Case and seed.
    """
    with drawing(_SIZE[0], 3.5) as figure:
        above = figure.add_axes((0.19, 0.56, 0.78, 0.35), title=shortened(title, _MOST))
        below = figure.add_axes((0.19, 0.13, 0.78, 0.35))
        _lines(above, curves, {"train_loss": "train", "val_loss": "validation"})
        _lines(below, curves, {"val_dice": "Dice", "val_accuracy": "accuracy"})
        above.set_ylabel("loss")
        above.tick_params(labelbottom=False)
        below.set(ylim=SHARE, xlabel="epoch", ylabel="validation")
        return svg_of(figure)


def _lines(axes: "Axes", curves: "pd.DataFrame", names: dict[str, str]) -> None:
    for (column, name), tint in zip(names.items(), (ACCENT, SECOND), strict=True):
        if column in curves and curves[column].notna().any():
            known = curves[curves[column].notna()]
            style = "o-" if len(known) <= _FEW else "-"
            axes.plot(known["epoch"], known[column], style, color=tint, linewidth=1.5, markersize=2.2, label=name)
    if axes.lines:
        axes.legend(loc="best", fontsize=8, handlelength=1.2)
    axes.locator_params(axis="x", integer=True, nbins=6)
    plain_axes(axes, "y")


def _axes(figure: "Figure", title: str) -> "Axes":
    axes = figure.add_axes((0.19, 0.19, 0.78, 0.68), title=shortened(title, _MOST))
    plain_axes(axes, "both")
    return axes


def _cell(x: float, y: float, face: tuple[float, float, float, float]) -> "FancyBboxPatch":
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (x - 0.44, y - 0.44), 0.88, 0.88, boxstyle="round,pad=0,rounding_size=0.08", facecolor=face, linewidth=0
    )
