"""Values of several sources side by side: a row for each case and metric, a column for each source."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from btlib.evaluation.catalogue import METRICS, Metrics
from btlib.reporting.axes import value_limits
from btlib.reporting.figures import new_figure, save
from btlib.reporting.names import naming, shortened, visible
from btlib.reporting.palette import ACCENT, BAD, GOOD, LINE, MUTED, SECOND
from btlib.reporting.sources import Source
from btlib.reporting.values import Column, Value
from btlib.reporting.verdicts import title_of
from btlib.results import Conditions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer

_ROW, _PANEL = 0.3, 3.6  # inches: height of a case, width of a metric
_COLUMNS = 30  # columns of a name
_SPREAD = 0.6  # share of a row's height for the markers of its sources
_COLOURS = (MUTED, ACCENT, SECOND, GOOD, BAD)
_MARKS = ("D", "o", "s", "^", "v")


def side_by_side(columns: Sequence[Column], metrics: Sequence[str], style: str = "simple") -> str:
    """Return a table of values with 95 % intervals over patients, in a format of `tabulate`.

    Published values are shown as printed. The sources may differ in their conditions: see `conditions_line`.

    Args:
        columns: Values, one column per source.
        metrics: Metrics, one row of each case per metric.
        style: Format of `tabulate`, such as "simple" or "github".
    """
    name = naming(style)
    rows = [
        [name(case), title_of(metric), *(str(column.values.get((case, metric), "–")) for column in columns)]
        for case, metric in product(_cases(columns), metrics)
        if any((case, metric) in column.values for column in columns)
    ]
    head = ["case", "metric", *(name(column.name) for column in columns)]
    return tabulate(rows, head, style, disable_numparse=True)


def draw_side_by_side(columns: Sequence[Column], metrics: Sequence[str], path: Path, known: Metrics = METRICS) -> None:
    """Draw the same values as SVG: one panel per metric, one row per case, one marker with interval per source.

    Args:
        columns: Values, one column per source; sources differ in colour and marker.
        metrics: Metrics, one panel each.
        path: File to write; its folder is created.
        known: Metrics of the sources.
    """
    cases = _cases(columns)
    figure = new_figure((_PANEL * len(metrics) + 0.8, _ROW * len(cases) + 1.2))
    panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        marks: list[Any] = [
            _marks(axes, column, _places(cases, metric, k, len(columns)), k) for k, column in enumerate(columns)
        ]
        axes.set_xlim(*value_limits(metric, known))
        axes.set_title(title_of(metric), loc="left")
        axes.grid(axis="x", color=LINE)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(cases)), [shortened(visible(case), _COLUMNS) for case in cases])
    panels[0].invert_yaxis()
    names = [shortened(visible(column.name), _COLUMNS) for column in columns]
    figure.legend(marks, names, loc="outside lower left", ncols=3, frameon=False)
    save(figure, path)


def _places(cases: Sequence[str], metric: str, index: int, of: int) -> dict[tuple[str, str], float]:
    """Return the vertical positions of one source's markers; the sources share the row of a case."""
    shift = _SPREAD * ((index + 0.5) / of - 0.5)
    return {(case, metric): row + shift for row, case in enumerate(cases)}


def _marks(axes: "Axes", column: Column, places: dict[tuple[str, str], float], index: int) -> "ErrorbarContainer":
    """Draw a source's values in one panel; a failed case gets its status as text."""
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
    """Return a line with a source's name and the conditions of its measurement."""
    c = _conditions(source)
    line = f"{visible(source.name)}: {c.n_test} test samples ({c.task.name})"
    if c.task.has_images:
        line += f", split {c.split_name}, {c.image_size} px; "
        line += f"scaling of the protocol: {c.scaling}, threshold {c.threshold:g}"
    caveats = dict.fromkeys(result.caveat for result in source.results if result.runs)
    return "; ".join([line, *_patients(c), *filter(None, caveats)])


def _patients(conditions: Conditions) -> list[str]:
    """Return texts on the test patients and on how many of their samples are of patients in training."""
    known = conditions.patients
    if known is None:
        stated = "samples without patient id are treated as independent, as stated by the user"
        return [stated] if conditions.independent else []
    source = " (from btlib's table)" if known.source == "table" else ""
    return [f"{known.n_test} test patients{source}; {known.seen} test samples are of patients who are also in training"]


def _conditions(source: Source) -> Conditions:
    if source.results:
        return source.results[0].conditions
    assert source.baseline is not None  # a source without measured numbers is a published baseline
    return source.baseline.conditions


def _cases(columns: Sequence[Column]) -> list[str]:
    return list(dict.fromkeys(case for column in columns for case, _ in column.values))


def _reach(value: Value, side: int) -> float:
    """Return the distance from the value to the lower (0) or upper (1) bound of its interval."""
    return abs(value.interval[side] - value.value) if value.interval else 0.0
