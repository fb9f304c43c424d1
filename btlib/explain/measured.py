"""One sample's map, with all that is measured of it."""

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
    """Measure a map against the structures together, beside what knows nothing of the sample.

    Args:
        found: The map.
        dataset: Holds the sample.
        at: Where, 0-based.
        part: What the sample was used for.
        prior: Where tumours of its type are wont to lie, float [h, w].
        how: Says patch and stride.

    Raises:
        StatsError: No tumour pixel lies under a patch.
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
    """A number for an id: itself where it is one."""
    return int(name) if name.isascii() and name.isdecimal() else int(fingerprint.of(name), 16)


def flat(row: ExplainedSample) -> dict[str, object]:
    """A sample as one row of a table; undefined values are None."""
    more = {
        "ratio": row.total.ratio,
        "tied": row.average.tied,
        "total_pointing": row.total.pointing,
        "random_total_pointing": row.random_total.pointing,
        "total_mass": row.total.mass,
        "random_total_mass": row.random_total.mass,
    }
    return {name: getattr(row, name) for name in _PLAIN} | {name: of(row) for name, of in COLUMNS.items()} | more
