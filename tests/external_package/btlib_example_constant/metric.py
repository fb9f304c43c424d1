"""A metric of one's own: how far the predicted area is from the true one."""

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.catalogue import METRICS, Metric
from btlib.sample_table import SampleTable


def area_error(table: SampleTable) -> NDArray[np.float64]:
    """|predicted − true| / true area, all structures together; NaN where the true masks are empty."""
    _, predicted, true = (counts.sum(axis=1).astype(np.float64) for counts in table.overlap())
    return np.divide(np.abs(predicted - true), true, out=np.full(table.n, np.nan), where=true > 0)


METRICS.add(
    "area_error",
    Metric(
        "area_error",
        "area error",
        area_error,
        "sample",
        "mask",
        "no value without a true mask",
        direction="lower",
        range=(0.0, float("inf")),
    ),
)
