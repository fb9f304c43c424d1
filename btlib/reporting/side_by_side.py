"""Numbers of several sources beside each other: a row for each case and metric, a column for each source."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from tabulate import tabulate

from btlib.evaluation.catalogue import METRICS
from btlib.reporting.figures import new_figure, save
from btlib.reporting.sources import Source
from btlib.reporting.values import Value, Values, values_of
from btlib.results import Conditions

_ROW, _PANEL = 0.3, 3.6  # inches: height of a case, width of a metric
_SPREAD = 0.6  # of a row's height, shared by its sources
_COLOURS = ("#5a636e", "#1f5fa8", "#a85400", "#18764a", "#7a4fa3", "#b8302a")
_MARKS = ("D", "o", "s", "^", "v")


def side_by_side(sources: Sequence[Source], metrics: Sequence[str], style: str = "simple") -> str:
    """Values with 95 % intervals over slices (or patients, where they are known), in a format of `tabulate`.

    Published values stand as they were printed. The sources may differ in their conditions: see `conditions_line`.

    Args:
        sources: The columns.
        metrics: The rows of each case.
        style: Such as "simple" or "github".

    Raises:
        UnknownNameError: There is no such metric.
    """
    columns = [values_of(source, metrics) for source in sources]
    rows = [
        [case, METRICS[metric].title, *(str(values.get((case, metric), "–")) for values in columns)]
        for case, metric in product(_cases(columns), metrics)
        if any((case, metric) in values for values in columns)
    ]
    head = ["case", "metric", *(source.name for source in sources)]
    return tabulate(rows, head, style, disable_numparse=True)


def draw_side_by_side(sources: Sequence[Source], metrics: Sequence[str], path: Path) -> None:
    """The same values as SVG: one panel a metric, a row a case, a mark with its interval for each source.

    Args:
        sources: Told apart by colour and mark.
        metrics: The panels.
        path: The file; its folder is made.

    Raises:
        UnknownNameError: There is no such metric.
    """
    columns = [values_of(source, metrics) for source in sources]
    cases = _cases(columns)
    figure = new_figure((_PANEL * len(metrics) + 0.8, _ROW * len(cases) + 1.2))
    panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for index, (source, values) in enumerate(zip(sources, columns, strict=True)):
            shift = _SPREAD * ((index + 0.5) / len(sources) - 0.5)
            colour, mark = _COLOURS[index % len(_COLOURS)], _MARKS[index % len(_MARKS)]
            found = [(row + shift, values.get((case, metric))) for row, case in enumerate(cases)]
            drawn = [(at, value) for at, value in found if isinstance(value, Value)]
            axes.errorbar(
                [value.value for _, value in drawn],
                [at for at, _ in drawn],
                xerr=[[_reach(value, side) for _, value in drawn] for side in (0, 1)],
                fmt=mark,
                color=colour,
                markersize=4.5,
                elinewidth=1.4,
                label=source.name,
            )
            for at, value in found:
                if isinstance(value, str):  # why this case has no value
                    axes.annotate(value, (0.02, at), xycoords=("axes fraction", "data"), color=colour, va="center")
        axes.set_title(METRICS[metric].title, loc="left")
        axes.grid(axis="x", color="#dfe3e7")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(cases)), cases)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False)
    save(figure, path)


def conditions_line(source: Source) -> str:
    """A source's name, and how its numbers were made."""
    c = _conditions(source)
    return (
        f"{source.name}: {c.n_test} test slices ({c.origin}), split {c.split_name}, {c.image_size} px; "
        f"the protocol's scaling is {c.scaling}, its threshold {c.threshold:g}"
    )


def _conditions(source: Source) -> Conditions:
    if source.results:
        return source.results[0].conditions
    assert source.baseline is not None  # a source without measured numbers is a published baseline
    return source.baseline.conditions


def _cases(columns: Sequence[Values]) -> list[str]:
    return list(dict.fromkeys(case for values in columns for case, _ in values))


def _reach(value: Value, side: int) -> float:
    """How far the interval goes from the value, to its lower (0) or upper (1) bound."""
    return abs(value.interval[side] - value.value) if value.interval else 0.0
