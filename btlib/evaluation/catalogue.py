"""Every metric with what a reader must know of it: definition, direction, range, unit, level, rule for undefined."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from btlib import metrics
from btlib.registry import Registry
from btlib.slice_table import SliceTable

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: As in files and options.
        title: As in tables.
        of: From a table to its values: float64 [n] where every slice has one, else float64 [].
        level: "slice" where every slice has a value, "set" where only all slices together have one.
        needs: What a table must have: "mask", "boundary" (masks and distances), or "classes".
        undefined: Its rule where the formula has no value.
        direction: Which is better.
        range: Lowest and highest possible value.
        unit: "1" for shares of one, else "px" or "nat".
        version: Of the definition; numbers of different versions are not comparable.
        source: DOI or arXiv id; None for what needs none.
    """

    name: str
    title: str
    of: Callable[[SliceTable], Values]
    level: Literal["slice", "set"]
    needs: Literal["mask", "boundary", "classes"]
    undefined: str
    direction: Literal["higher", "lower"] = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    unit: str = "1"
    version: int = 1
    source: str | None = None

    @property
    def sign(self) -> int:
        """1 where higher is better, −1 where lower is."""
        return 1 if self.direction == "higher" else -1

    def available(self, table: SliceTable) -> bool:
        """Whether a table has what the metric needs."""
        return {"mask": table.has_mask, "boundary": table.has_boundary, "classes": table.has_classes}[self.needs]


def _labels(table: SliceTable) -> NDArray[np.int64]:
    return np.array(table.label, dtype=np.int64)


def _prob(table: SliceTable) -> Values:
    return np.array(table.class_prob, dtype=np.float64)


def _confusion(table: SliceTable) -> NDArray[np.int64]:
    return metrics.confusion_matrix(_labels(table), table.predicted())


def _macro_auroc(table: SliceTable) -> Values:
    found = metrics.auroc(_prob(table), _labels(table))
    return np.asarray(np.nanmean(found) if np.isfinite(found).any() else np.nan)


METRICS: Registry[Metric] = Registry("metric")
for _metric in (
    Metric(
        "dice",
        "Dice",
        lambda t: t.dice(),
        "slice",
        "mask",
        "an empty prediction is 0; both masks empty is 1, by the thesis's epsilon",
        source="10.2307/1932409",
    ),
    Metric(
        "iou",
        "IoU",
        lambda t: t.iou(),
        "slice",
        "mask",
        "an empty prediction is 0; both masks empty is 1, by the thesis's epsilon",
        source="10.1111/j.1469-8137.1912.tb05611.x",
    ),
    Metric(
        "sensitivity",
        "sensitivity",
        lambda t: metrics.sensitivity_from_counts(np.array(t.intersection), np.array(t.truth_area)),
        "slice",
        "mask",
        "an empty prediction is 0; without a true mask there is no value",
        source="10.1038/s41592-023-02151-z",
    ),
    Metric(
        "precision",
        "precision",
        lambda t: metrics.precision_from_counts(np.array(t.intersection), np.array(t.pred_area)),
        "slice",
        "mask",
        "an empty prediction is a miss: 0",
        source="10.1038/s41592-023-02151-z",
    ),
    Metric(
        "miss_rate",
        "miss rate",
        lambda t: metrics.misses(t.dice()),
        "slice",
        "mask",
        "an empty prediction is a miss: 1",
        direction="lower",
    ),
    Metric(
        "hd95",
        "HD95",
        lambda t: np.array(t.hd95, dtype=np.float64),
        "slice",
        "boundary",
        "an empty prediction is the image's diagonal; both masks empty have no value and are refused",
        direction="lower",
        range=(0.0, np.inf),
        unit="px",
        source="10.1109/34.232073",
    ),
    *(
        Metric(
            f"surface_dice_{k}px",
            f"surface Dice {k} px",
            lambda t, name=f"surface_dice_{k}px": np.array(getattr(t, name), dtype=np.float64),  # type: ignore[misc]
            "slice",
            "boundary",
            "an empty prediction is a miss: 0; both masks empty have no value and are refused",
            source="10.2196/26151",
        )
        for k in (1, 2)
    ),
    Metric(
        "accuracy",
        "accuracy",
        lambda t: t.correct().astype(np.float64),
        "slice",
        "classes",
        "always defined; of equal probabilities the first type counts",
    ),
    Metric(
        "brier",
        "Brier score",
        lambda t: metrics.brier(_prob(t), _labels(t)),
        "slice",
        "classes",
        "always defined",
        direction="lower",
        range=(0.0, 2.0),
        source="10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    ),
    Metric(
        "nll",
        "negative log-likelihood",
        lambda t: metrics.nll(_prob(t), _labels(t)),
        "slice",
        "classes",
        "a probability of 0 counts as 1e-6",
        direction="lower",
        range=(0.0, float(-np.log(1e-6))),
        unit="nat",
        source="10.1198/016214506000001437",
    ),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        lambda t: np.asarray(metrics.balanced_accuracy(_confusion(t))),
        "set",
        "classes",
        "the mean over the types that are there",
        source="10.1109/ICPR.2010.764",
    ),
    Metric(
        "macro_f1",
        "macro F1",
        lambda t: np.asarray(metrics.macro_f1(_confusion(t))),
        "set",
        "classes",
        "the mean over the types that are there or are predicted",
        source="arXiv 1911.03347",
    ),
    Metric(
        "auroc",
        "AUROC",
        _macro_auroc,
        "set",
        "classes",
        "the mean over the types that some slices have and some have not; without one, no value",
        source="10.1148/radiology.143.1.7063747",
    ),
    Metric(
        "ece",
        "calibration error",
        lambda t: np.asarray(metrics.ece(_prob(t), _labels(t))),
        "set",
        "classes",
        "always defined",
        direction="lower",
        source="arXiv 1706.04599",
    ),
):
    METRICS.add(_metric.name, _metric)
