"""Numbers of several sources beside each other: a row for each case and metric, a column for each source."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from btlib.evaluation.catalogue import METRICS
from btlib.reporting.axes import value_limits
from btlib.reporting.figures import new_figure, save
from btlib.reporting.names import naming, shortened, visible
from btlib.reporting.palette import ACCENT, BAD, GOOD, LINE, MUTED, SECOND
from btlib.reporting.sources import Source
from btlib.reporting.values import Column, Value
from btlib.results import Conditions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer

_ROW, _PANEL = 0.3, 3.6  # inches: height of a case, width of a metric
_COLUMNS = 30  # of a name
_SPREAD = 0.6  # of a row's height, shared by its sources
_COLOURS = (MUTED, ACCENT, SECOND, GOOD, BAD)
_MARKS = ("D", "o", "s", "^", "v")


def side_by_side(columns: Sequence[Column], metrics: Sequence[str], style: str = "simple") -> str:
    """Values with 95 % intervals over patients, in a format of `tabulate`.

    Published values stand as they were printed. The sources may differ in their conditions: see `conditions_line`.

    Args:
        columns: One a source.
        metrics: The rows of each case.
        style: Such as "simple" or "github".
    """
    name = naming(style)
    rows = [
        [name(case), METRICS[metric].title, *(str(column.values.get((case, metric), "–")) for column in columns)]
        for case, metric in product(_cases(columns), metrics)
        if any((case, metric) in column.values for column in columns)
    ]
    head = ["case", "metric", *(name(column.name) for column in columns)]
    return tabulate(rows, head, style, disable_numparse=True)


def draw_side_by_side(columns: Sequence[Column], metrics: Sequence[str], path: Path) -> None:
    """The same values as SVG: one panel a metric, a row a case, a mark with its interval for each source.

    Args:
        columns: One a source, told apart by colour and mark.
        metrics: The panels.
        path: The file; its folder is made.
    """
    cases = _cases(columns)
    figure = new_figure((_PANEL * len(metrics) + 0.8, _ROW * len(cases) + 1.2))
    panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        marks: list[Any] = [
            _marks(axes, column, _places(cases, metric, k, len(columns)), k) for k, column in enumerate(columns)
        ]
        axes.set_xlim(*value_limits(metric))
        axes.set_title(METRICS[metric].title, loc="left")
        axes.grid(axis="x", color=LINE)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(cases)), [shortened(visible(case), _COLUMNS) for case in cases])
    panels[0].invert_yaxis()
    names = [shortened(visible(column.name), _COLUMNS) for column in columns]
    figure.legend(marks, names, loc="outside lower left", ncols=3, frameon=False)
    save(figure, path)


def _places(cases: Sequence[str], metric: str, index: int, of: int) -> dict[tuple[str, str], float]:
    """Where the marks of one source stand: each case has a row, which its sources share."""
    shift = _SPREAD * ((index + 0.5) / of - 0.5)
    return {(case, metric): row + shift for row, case in enumerate(cases)}


def _marks(axes: "Axes", column: Column, places: dict[tuple[str, str], float], index: int) -> "ErrorbarContainer":
    """A source's values in one panel; where a case has none, the word for why."""
    colour = _COLOURS[index % len(_COLOURS)]
    found = [(at, column.values[key]) for key, at in places.items() if key in column.values]
    drawn = [(at, value) for at, value in found if isinstance(value, Value)]
    for at, value in found:
        if isinstance(value, str):
            axes.annotate(value, (0.02, at), xycoords=("axes fraction", "data"), color=colour, va="center")
    return axes.errorbar(
        [value.value for _, value in drawn],
        [at for at, _ in drawn],
        xerr=[[_reach(value, side) for _, value in drawn] for side in (0, 1)],
        fmt=_MARKS[index % len(_MARKS)],
        color=colour,
        markersize=4.5,
        elinewidth=1.4,
    )


def conditions_line(source: Source) -> str:
    """A source's name, and how its numbers were made."""
    c = _conditions(source)
    line = (
        f"{visible(source.name)}: {c.n_test} test samples ({c.task.name}), split {c.split_name}, {c.image_size} px; "
        f"the protocol's scaling is {c.scaling}, its threshold {c.threshold:g}"
    )
    caveats = dict.fromkeys(result.caveat for result in source.results if result.runs)
    return "; ".join([line, *_patients(c), *filter(None, caveats)])


def _patients(conditions: Conditions) -> list[str]:
    """For whom the numbers hold."""
    known = conditions.patients
    if known is None:
        stated = "samples without patient id are independent, as the user says"
        return [stated] if conditions.independent else []
    source = " (from btlib's table)" if known.source == "table" else ""
    return [
        f"{known.n_test} test patients{source}; {known.seen} test samples have samples of their patient in training"
    ]


def _conditions(source: Source) -> Conditions:
    if source.results:
        return source.results[0].conditions
    assert source.baseline is not None  # a source without measured numbers is a published baseline
    return source.baseline.conditions


def _cases(columns: Sequence[Column]) -> list[str]:
    return list(dict.fromkeys(case for column in columns for case, _ in column.values))


def _reach(value: Value, side: int) -> float:
    """How far the interval goes from the value, to its lower (0) or upper (1) bound."""
    return abs(value.interval[side] - value.value) if value.interval else 0.0
