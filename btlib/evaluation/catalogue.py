"""All metrics with their definition, direction, range, unit, level and rule for undefined values."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from btlib import metrics
from btlib.data.task import Score, Task
from btlib.evaluation.subgroup import Subgroup
from btlib.registry import Registry
from btlib.sample_table import SampleTable

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Name in files and options; `<metric>/<structure>` for a metric of one structure, and
            `<metric>@class:<class>` or `<metric>@size:<third>` for a metric of a subgroup.
        title: Name in tables.
        of: Function that computes the values from a table: float64 [n] for level "sample", NaN for a sample without a
            value; float64 [] for level "set".
        level: "sample" if every sample has a value, "set" if only all samples together have one.
        needs: What the table must have: "mask", "boundary" (masks and distances), "millimetres" (distances in mm),
            "volumes" (masks of samples of volumes), "classes", or "column" (a custom column with the metric's name).
        undefined: Rule for cases in which the formula has no value.
        direction: Whether higher or lower values are better.
        range: Lowest and highest possible value.
        unit: "1" for numbers without unit, else for example "px" or "nat".
        version: Version of the definition; numbers of different versions are not comparable.
        source: DOI or arXiv id; None if none is needed.
        structure: Structure of the metric; None if it is the mean over all structures, or a metric of classes.
        subgroup: Subgroup of samples that have a value; None for all samples.
        weighted: For level "set": function that computes the metric for several sets of weights [b, n] of the samples
            at once, float64 [b]. Integer weights must give the value of a table with repeated rows. If None, intervals
            are computed from such tables, which is slower (`btlib.evaluation.draws`).
        over_classes: For level "set": the metric is a mean over the classes that occur. A draw of patients without a
            class of the table is then undefined, because it is a mean over fewer classes.
    """

    name: str
    title: str
    of: Callable[[SampleTable], Values]
    level: Literal["sample", "set"]
    needs: Literal["mask", "boundary", "millimetres", "volumes", "classes", "column"]
    undefined: str
    direction: Literal["higher", "lower"] = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    unit: str = "1"
    version: int = 1
    source: str | None = None
    structure: str | None = None
    subgroup: Subgroup | None = None
    weighted: Callable[[SampleTable, Values], Values] | None = None
    over_classes: bool = False

    @property
    def sign(self) -> int:
        """1 if higher is better, −1 if lower is better."""
        return 1 if self.direction == "higher" else -1

    def available(self, table: SampleTable) -> bool:
        """Whether a table has what the metric needs."""
        if self.structure is not None and self.structure not in table.structures:
            return False
        if self.subgroup is not None and not self.subgroup.exists(table):
            return False
        if self.needs == "column":
            return self.name in table.columns
        return {
            "mask": table.has_mask,
            "boundary": table.has_boundary,
            "millimetres": table.has_millimetres,
            "volumes": table.has_volumes,
            "classes": table.has_classes,
        }[self.needs]

    def of_structure(self, structure: str) -> "Metric":
        """Return the same metric, computed for one structure only."""

        def of(table: SampleTable) -> Values:
            return self.of(table.of_structure(structure))

        whole = self.weighted

        def weighted(table: SampleTable, weights: Values) -> Values:
            assert whole is not None
            return whole(table.of_structure(structure), weights)

        names = {"name": f"{self.name}/{structure}", "title": f"{self.title}, {structure}", "structure": structure}
        form = weighted if whole is not None else None
        return replace(self, of=of, weighted=form, **names)  # type: ignore[arg-type]  # a dict of text is any field to mypy

    def members(self, table: SampleTable) -> NDArray[np.bool_]:
        """Return which samples belong to the metric's subgroup, bool [n]; all if it has none."""
        return np.ones(table.n, dtype=np.bool_) if self.subgroup is None else self.subgroup.members(table)

    def of_subgroup(self, subgroup: Subgroup) -> "Metric":
        """Return the same metric, computed for one subgroup of the samples; others have no value (NaN)."""

        def of(table: SampleTable) -> Values:
            return np.where(subgroup.members(table), self.of(table), np.nan)

        name = f"{self.name}@{subgroup.kind}:{subgroup.value}"
        return replace(self, of=of, name=name, title=f"{self.title}, {subgroup.title}", subgroup=subgroup)


def mean_of_defined(values: Values) -> Values:
    """Mean of each row over its defined values, such as those of structures, [n, k] → [n]; NaN if there is none."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0))


class Metrics(Registry[Metric]):
    """Registry of metrics by name.

    `<metric>/<structure>` is a mask metric of that structure only. `<metric>@class:<class>` and `<metric>@size:<third>`
    are metrics at sample level of a subgroup; the metric may be one of a structure.
    """

    def __getitem__(self, name: str) -> Metric:
        whole, subgroup = Subgroup.parse(name)
        if subgroup is not None and name in self:
            return self[whole].of_subgroup(subgroup)
        base, slash, structure = name.partition("/")
        if slash and structure and base in self and super().__getitem__(base).needs in _OF_MASKS:
            return super().__getitem__(base).of_structure(structure)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        whole, subgroup = Subgroup.parse(str(name))
        if subgroup is not None:
            return whole in self and self[whole].level == "sample"
        base, slash, structure = str(name).partition("/")
        if not slash:
            return super().__contains__(name)
        return bool(structure) and super().__contains__(base) and super().__getitem__(base).needs in _OF_MASKS

    def of_table(self, table: SampleTable) -> Iterator[str]:
        """Yield the names of all metrics that a table has; with several structures, also those of each structure."""
        for name in self:
            if self[name].available(table):
                yield name
                if self[name].needs in _OF_MASKS and len(table.structures) > 1:
                    yield from (f"{name}/{structure}" for structure in table.structures)

    @property
    def scores(self) -> list[str]:
        """Names of the scores of tasks among these metrics."""
        return [name for name in self if self[name].needs == "column"]

    def measured(self, name: str, table: SampleTable) -> bool:
        """Whether a table has values of this name: of a metric, or of a custom column."""
        return name in table.custom or (name in self and self[name].available(table))

    def in_table(self, name: str, table: SampleTable) -> Metric:
        """Return the metric of this name for the values of a table: a custom column needs no definition for that."""
        whole, subgroup = Subgroup.parse(name)
        if subgroup is not None:
            return self.in_table(whole, table).of_subgroup(subgroup)
        if name in table.custom and not (name in self and self[name].available(table)):
            return of_score(Score(name=name))
        return self[name]

    def with_scores(self, scores: Iterable[Score]) -> "Metrics":
        """Return these metrics and scores; a score replaces a metric of its name."""
        found = Metrics(self.kind)
        found._items = {**self._known(), **{score.name: of_score(score) for score in scores}}
        return found


_OF_MASKS = ("mask", "boundary", "millimetres", "volumes")


def of_score(score: Score) -> Metric:
    """Return a score, which is a custom column of a table, as a metric."""

    def of(table: SampleTable) -> Values:
        return np.array(table.columns[score.name], dtype=np.float64)  # None becomes NaN

    return Metric(
        score.name,
        score.name,
        of,
        "sample",
        "column",
        "undefined if the sample has no value",
        direction=score.direction,
        range=score.limits,
        unit=score.unit,
        version=score.version,
    )


def metrics_of(task: Task) -> Metrics:
    """Return the registered metrics and the scores of a task.

    A task of images cannot have a score with the name of a registered metric (`results.Conditions` checks this). In a
    task without images, the score is meant.
    """
    return METRICS.with_scores(task.scores) if task.scores else METRICS


def _confusion(table: SampleTable) -> NDArray[np.int64]:
    return metrics.confusion_matrix(table.labels, table.predicted(), len(table.classes))


def _macro_auroc(table: SampleTable) -> Values:
    found = metrics.auroc(table.class_prob, table.labels)
    return np.asarray(np.nanmean(found) if np.isfinite(found).any() else np.nan)


def _weighted_mean_of(score: str) -> Callable[[SampleTable, Values], Values]:
    """Return the weighted form of the mean of "recall" or "f1" over the classes that have one."""

    def of(table: SampleTable, weights: Values) -> Values:
        confusion = metrics.weighted_confusion(table.labels, table.predicted(), weights, len(table.classes))
        return mean_of_defined(metrics.per_class(confusion)[score])

    return of


def _weighted_auroc(table: SampleTable, weights: Values) -> Values:
    return mean_of_defined(metrics.weighted_auroc(table.class_prob, table.labels, weights))


def _dice(table: SampleTable) -> Values:
    return metrics.dice_from_counts(*table.overlap())


def _iou(table: SampleTable) -> Values:
    return metrics.iou_from_counts(*table.overlap())


def _sensitivity(table: SampleTable) -> Values:
    intersection, _, truth = table.overlap()
    return metrics.sensitivity_from_counts(intersection, truth)


def _precision(table: SampleTable) -> Values:
    return metrics.precision_from_counts(*table.overlap())


def _misses(table: SampleTable) -> Values:
    return metrics.misses(_dice(table))


def _of_masks(by_structure: Callable[[SampleTable], Values]) -> Callable[[SampleTable], Values]:
    return lambda table: mean_of_defined(by_structure(table))


def _measured(name: str) -> Callable[[SampleTable], Values]:
    return _of_masks(lambda table: table.measure(name))


def of_volumes(of: Callable[[SampleTable], Values], table: SampleTable) -> Values:
    """Values of the volumes of a table, in the order of their first samples, float64 [volumes].

    Pixels are first summed over the samples of a volume. This is the only definition of scores by volume.

    Args:
        of: Formula of a metric of masks at sample level.
        table: Table with volumes and masks.
    """
    volumes = table.by_volume()
    assert volumes is not None  # a metric that needs volumes is only computed for tables that have them
    return of(volumes)


def _mean_of_volumes(of: Callable[[SampleTable], Values]) -> Callable[[SampleTable], Values]:
    """Return the mean of a metric over the volumes; each volume has the same weight."""

    def mean(table: SampleTable) -> Values:
        return np.asarray(mean_of_defined(of_volumes(of, table)[None])[0])

    return mean


def _weighted_mean_of_volumes(of: Callable[[SampleTable], Values]) -> Callable[[SampleTable, Values], Values]:
    """Return the weighted form of the mean over the volumes. All samples of a volume have the same weight."""

    def mean(table: SampleTable, weights: Values) -> Values:
        values = of_volumes(of, table)
        defined = ~np.isnan(values)
        first: dict[str, int] = {}
        for i, volume in enumerate(table.volume or []):
            first.setdefault(volume, i)
        shares = weights[:, list(first.values())] * defined
        total = shares.sum(axis=1)
        sums = shares @ np.where(defined, values, 0.0)
        return np.asarray(np.divide(sums, total, out=np.full(len(weights), np.nan), where=total > 0))

    return mean


METRICS = Metrics("metric", "btlib.metrics")
for _metric in (
    Metric(
        "dice",
        "Dice",
        _of_masks(_dice),
        "sample",
        "mask",
        "0 if only one mask is empty, 1 if both are empty, due to the protocol's epsilon",
        source="10.2307/1932409",
    ),
    Metric(
        "dice_volume",
        "Dice per volume",
        _mean_of_volumes(_of_masks(_dice)),
        "set",
        "volumes",
        "mean over the volumes, whose pixels are first summed over their samples; of a volume, as Dice",
        source="10.2307/1932409",
        weighted=_weighted_mean_of_volumes(_of_masks(_dice)),
    ),
    Metric(
        "iou",
        "IoU",
        _of_masks(_iou),
        "sample",
        "mask",
        "0 if only one mask is empty, 1 if both are empty, due to the protocol's epsilon",
        source="10.1111/j.1469-8137.1912.tb05611.x",
    ),
    Metric(
        "sensitivity",
        "sensitivity",
        _of_masks(_sensitivity),
        "sample",
        "mask",
        "0 if only the prediction is empty (a miss); undefined if the true mask is empty",
        source="10.1038/s41592-023-02151-z",
    ),
    Metric(
        "precision",
        "precision",
        _of_masks(_precision),
        "sample",
        "mask",
        "0 if only the prediction is empty (a miss); undefined if both masks are empty",
        source="10.1038/s41592-023-02151-z",
    ),
    Metric(
        "miss_rate",
        "miss rate",
        _of_masks(_misses),
        "sample",
        "mask",
        "1 if only one mask is empty, 0 if both are empty",
        direction="lower",
    ),
    Metric(
        "hd95",
        "HD95",
        _measured("hd95"),
        "sample",
        "boundary",
        "the image's diagonal if only one mask is empty (a miss); undefined if both are empty",
        direction="lower",
        range=(0.0, np.inf),
        unit="px",
        source="10.1109/34.232073",
    ),
    *(
        Metric(
            f"surface_dice_{k}px",
            f"surface Dice {k} px",
            _measured(f"surface_dice_{k}px"),
            "sample",
            "boundary",
            "0 if only one mask is empty (a miss); undefined if both are empty",
            source="10.2196/26151",
        )
        for k in (1, 2)
    ),
    Metric(
        "hd95_mm",
        "HD95 in mm",
        _measured("hd95_mm"),
        "sample",
        "millimetres",
        "the original image's diagonal if only one mask is empty (a miss); undefined if both are empty, or if the size "
        "of a pixel is unknown",
        direction="lower",
        range=(0.0, np.inf),
        unit="mm",
        source="10.1109/34.232073",
    ),
    Metric(
        "surface_dice_2mm",
        "surface Dice 2 mm",
        _measured("surface_dice_2mm"),
        "sample",
        "millimetres",
        "0 if only one mask is empty (a miss); undefined if both are empty, or if the size of a pixel is unknown",
        source="10.2196/26151",
    ),
    Metric(
        "accuracy",
        "accuracy",
        lambda t: t.correct().astype(np.float64),
        "sample",
        "classes",
        "always defined; if probabilities are equal, the first class counts",
    ),
    Metric(
        "brier",
        "Brier score",
        lambda t: metrics.brier(t.class_prob, t.labels),
        "sample",
        "classes",
        "always defined",
        direction="lower",
        range=(0.0, 2.0),
        source="10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    ),
    Metric(
        "nll",
        "negative log-likelihood",
        lambda t: metrics.nll(t.class_prob, t.labels),
        "sample",
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
        "mean over the classes that have samples",
        source="10.1109/ICPR.2010.764",
        weighted=_weighted_mean_of("recall"),
        over_classes=True,
    ),
    Metric(
        "macro_f1",
        "macro F1",
        lambda t: np.asarray(metrics.macro_f1(_confusion(t))),
        "set",
        "classes",
        "mean over the classes that have samples or are predicted",
        source="arXiv 1911.03347",
        weighted=_weighted_mean_of("f1"),
        over_classes=True,
    ),
    Metric(
        "auroc",
        "AUROC",
        _macro_auroc,
        "set",
        "classes",
        "mean over the classes that some but not all samples have; undefined if there is no such class",
        source="10.1148/radiology.143.1.7063747",
        weighted=_weighted_auroc,
        over_classes=True,
    ),
    Metric(
        "ece",
        "calibration error",
        lambda t: np.asarray(metrics.ece(t.class_prob, t.labels)),
        "set",
        "classes",
        "always defined",
        direction="lower",
        source="arXiv 1706.04599",
        weighted=lambda t, weights: metrics.weighted_ece(t.class_prob, t.labels, weights),
    ),
):
    METRICS.add(_metric.name, _metric)
