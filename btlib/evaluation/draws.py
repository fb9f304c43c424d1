"""Metrics of level "set" for draws of patients: the metric of the set is computed anew for each draw."""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import StatsError
from btlib.evaluation.catalogue import METRICS, Metric, Values
from btlib.sample_table import SampleTable


def set_values(table: SampleTable, metric: str, weights: Values) -> Values:
    """Return a metric of level "set" for each draw, float64 [b]; NaN for a draw in which it is undefined.

    A metric that is a mean over classes (`over_classes`) is undefined for a draw without a class that the table has.

    Args:
        table: Table of samples.
        metric: Name of the metric.
        weights: How often each sample of the table occurs in each draw, float64 [b, n], no row of zeros.

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The metric is not of level "set", the table does not have what it needs, or there is not one weight
            of 0 or more for each sample, or a weight is not whole for a metric without a weighted form.
    """
    found = METRICS[metric]
    if found.level != "set" or not found.available(table):
        raise StatsError("expected a metric of all samples together that the table has", where=metric)
    if weights.ndim != 2 or weights.shape[1] != table.n or not (weights >= 0).all() or not weights.any(axis=1).all():
        raise StatsError(
            f"expected weights of 0 or more for {table.n} samples, got shape {weights.shape}",
            where=metric,
            hint="give one row of counts for each draw; no row may be all 0",
        )
    values = found.weighted(table, weights) if found.weighted is not None else _one_by_one(table, found, weights)
    if not found.over_classes:
        return values
    of_class = weights @ np.eye(len(table.classes))[table.labels]
    complete = (of_class[:, np.unique(table.labels)] > 0).all(axis=1)
    return np.where(complete, values, np.nan)


def _one_by_one(table: SampleTable, metric: Metric, weights: Values) -> Values:
    counts = weights.astype(np.int64)
    if (counts != weights).any():
        raise StatsError("expected whole weights", where=metric.name, hint="add a weighted form to the metric")
    return np.array([float(metric.of(repeated(table, row))) for row in counts])


def repeated(table: SampleTable, counts: NDArray[np.int64]) -> SampleTable:
    """Return a table in which each row occurs as often as its count says, in the order of the table.

    The copies of a sample have different ids, and the copies of a volume are different volumes.

    Args:
        table: Table of samples.
        counts: Number of copies of each row, int64 [n], at least one of them above 0.
    """
    rows = np.repeat(np.arange(table.n), counts).tolist()
    copies = [copy for count in counts.tolist() for copy in range(count)]

    def of(values: list[str]) -> list[str]:
        return [f"{values[row]} ({copy})" for row, copy in zip(rows, copies, strict=True)]

    return SampleTable.model_construct(  # rows of a valid table need no second check, which would take most of the time
        id=of(table.id),
        label=None if table.label is None else [table.label[row] for row in rows],
        patient=[table.patient[row] for row in rows],
        volume=None if table.volume is None else of(table.volume),
        classes=table.classes,
        structures=table.structures,
        columns={name: [values[row] for row in rows] for name, values in table.columns.items()},
    )
