"""All measures of one sample's map."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.dataset import Dataset
from btlib.explain.explained import ExplainedSample
from btlib.explain.explainer import Explainer, Explanation
from btlib.explain.measures import chance, control, measure, random_controls
from btlib.explain.summary import COLUMNS

_PLAIN = ("id", "label", "patient", "part", "base", "effect", "engine", "precision", "deviation", "faithful")


def measured(
    found: Explanation,
    dataset: Dataset,
    at: int,
    part: Literal["train", "val", "test"] | None,
    prior: NDArray[np.float64],
    how: Explainer,
) -> ExplainedSample:
    """Measure a map with respect to the union of all structures, and measure the control maps.

    Args:
        found: The map.
        dataset: Data set of the sample.
        at: Position of the sample in the data set, 0-based.
        part: Part of the split that the sample belongs to.
        prior: Centre prior: map of the usual position of tumours of the same class, float [h, w].
        how: Explainer, for its patch and stride.

    Raises:
        StatsError: No tumour pixel, or no other pixel, lies under a patch.
    """
    maps, name = found.map, str(dataset.ids[at])
    mask: NDArray[np.bool_] = np.logical_or.reduce(dataset.masks[at], axis=0)
    random_total, random_average = random_controls(mask, how.patch, how.stride, seed=_seed(name))
    return ExplainedSample(
        id=name,
        label=found.label,
        patient=dataset.patients[at],
        part=part,
        base=maps.base,
        effect=maps.effect,
        engine=found.engine,
        precision=found.precision,
        deviation=found.deviation,
        faithful=found.faithful,
        notes=list(found.notes),
        chance=chance(maps.average, mask),
        total=measure(maps.total, mask),
        average=measure(maps.average, mask),
        centre=control(np.where(np.isnan(maps.average), np.nan, prior), mask),
        random_total=random_total,
        random_average=random_average,
    )


def _seed(name: str) -> int:
    """Return the seed of an id: the id itself if it is a number, else a number computed from it."""
    return int(name) if name.isascii() and name.isdecimal() else int(fingerprint.of(name), 16)


def flat(row: ExplainedSample) -> dict[str, object]:
    """Return a sample as one row of a table; undefined values are None."""
    more = {
        "ratio": row.total.ratio,
        "tied": row.average.tied,
        "total_pointing": row.total.pointing,
        "random_total_pointing": row.random_total.pointing,
        "total_mass": row.total.mass,
        "random_total_mass": row.random_total.mass,
    }
    return {name: getattr(row, name) for name in _PLAIN} | {name: of(row) for name, of in COLUMNS.items()} | more
