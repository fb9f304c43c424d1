"""Figure of the relevance maps: each sample with the true contour, the thesis's map and the average map."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.explain.explained import Explained
from btlib.explain.maps import Maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL = 2.4  # inches


def draw(explained: Explained, maps: Maps, dataset: Dataset, path: Path) -> None:
    """Write the maps as SVG: red where hiding a region lowers the class probability, blue where it raises it."""
    from btlib.reporting.figures import new_figure, save

    rows, classes = explained.samples, explained.task.classes
    figure = new_figure((3 * _CELL + 1.4, _CELL * len(rows) + 0.3))
    place = {name: i for i, name in enumerate(dataset.ids.tolist())}
    for i, (row, axes) in enumerate(zip(rows, figure.subplots(len(rows), 3, squeeze=False), strict=True)):
        at = place[row.id]
        image, mask = np.asarray(dataset.images[at])[0], np.asarray(dataset.masks[at]).any(axis=0)
        axes[0].imshow(image, cmap="gray")
        axes[0].set_ylabel(f"sample {row.id}, {classes[row.label]}\np = {row.base:.3f}", fontsize=8)
        _map(figure, axes[1], maps.total[i])
        _map(figure, axes[2], maps.average[i])
        for panel in axes:
            panel.contour(mask, [0.5], colors="#11aa55", linewidths=0.9)
            panel.set_xticks([])
            panel.set_yticks([])
        if i == 0:
            for panel, title in zip(
                axes, ("image, true contour", "sum of drops (thesis)", "mean of drops"), strict=True
            ):
                panel.set_title(title, fontsize=9)
    save(figure, path)


def _map(figure: "Figure", axes: "Axes", values: NDArray[np.float32]) -> None:
    """Draw one map with colours centred at 0 and a colour bar."""
    reach = max(float(np.nanmax(np.abs(values))), 1e-9)
    drawn = axes.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")
    bar = figure.colorbar(drawn, ax=axes, shrink=0.85)
    bar.ax.tick_params(labelsize=7)
