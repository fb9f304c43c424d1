"""Numbers of several sources beside each other, judged by nobody: a row a case and metric, a column a source."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from tabulate import tabulate

from btlib.baselines import Baseline
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.intervals import mean_intervals
from btlib.reporting.sources import Source
from btlib.results import CaseResult, Conditions

Cells = dict[tuple[str, str], str]
"""Case and metric → value, with its 95 % interval where there is one."""


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
    columns = [_cells(source, metrics) for source in sources]
    cases = dict.fromkeys(case for cells in columns for case, _ in cells)
    rows = [
        [case, METRICS[metric].title, *(cells.get((case, metric), "–") for cells in columns)]
        for case, metric in product(cases, metrics)
        if any((case, metric) in cells for cells in columns)
    ]
    head = ["case", "metric", *(source.name for source in sources)]
    return tabulate(rows, head, style, disable_numparse=True)


def conditions_line(source: Source) -> str:
    """A source's name, and how its numbers were made."""
    c = _conditions(source)
    return (
        f"{source.name}: {c.n_test} test slices ({c.origin}), split {c.split_name}, {c.image_size} px, "
        f"{c.scaling} scaling, threshold {c.threshold:g}"
    )


def _conditions(source: Source) -> Conditions:
    if source.results:
        return source.results[0].conditions
    assert source.baseline is not None  # a source without measured numbers is a published baseline
    return source.baseline.conditions


def _cells(source: Source, metrics: Sequence[str]) -> Cells:
    if not source.results:
        assert source.baseline is not None
        return _published(source.baseline, metrics)
    means = mean_intervals(source.results, metrics)
    found: Cells = {}
    for result, metric in product(source.results, metrics):
        mean = means.get((result.case, metric))
        if mean is not None:
            found[result.case, metric] = f"{mean.value:.4f} ({mean.low:.4f} … {mean.high:.4f})"
        elif result.runs and METRICS[metric].available(result.slices):
            found[result.case, metric] = f"{_value(result, metric):.4f}"
        elif result.failure is not None and metric in result.metrics:
            found[result.case, metric] = result.failure
    return found


def _value(result: CaseResult, metric: str) -> float:
    """The mean over seeds."""
    sizes = result.batch_mean_size
    return float(np.mean([gated_value(run.slices, metric, "slice-mean", sizes) for run in result.runs]))


def _published(baseline: Baseline, metrics: Sequence[str]) -> Cells:
    """The figure that the gate uses, else the first of all slices together."""
    found: Cells = {}
    for (name, case), metric in product(baseline.cases.items(), metrics):
        known = [f for f in case.figures if f.metric == metric and f.tumour_class is None]
        figure = baseline.figure(name, metric) or (known[0] if known else None)
        if figure is not None:
            found[name, metric] = f"{figure.value:.4f}"
    return found
