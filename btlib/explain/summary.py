"""Means of the samples' measures with intervals, by class and over all samples."""

from collections.abc import Callable, Sequence

import numpy as np

from btlib.data.grouping import patient_groups, unit_of
from btlib.errors import StatsError
from btlib.explain.explained import ExplainedSample, Group, Mean
from btlib.explain.measures import ratio_of
from btlib.stats import paired_many, wilson

COLUMNS: dict[str, Callable[[ExplainedSample], float]] = {
    "total_inside": lambda row: row.total.inside,
    "total_outside": lambda row: row.total.outside,
    "total_difference": lambda row: row.total.inside - row.total.outside,
    "average_inside": lambda row: row.average.inside,
    "average_outside": lambda row: row.average.outside,
    "average_difference": lambda row: row.average.inside - row.average.outside,
    "chance": lambda row: row.chance,
    "pointing": lambda row: row.average.pointing,
    "centre_pointing": lambda row: row.centre.pointing,
    "random_pointing": lambda row: row.random_average.pointing,
    "mass": lambda row: row.average.mass,
    "centre_mass": lambda row: row.centre.mass,
    "random_mass": lambda row: row.random_average.mass,
    "pointing_beyond_chance": lambda row: row.average.pointing - row.chance,
    "pointing_beyond_centre": lambda row: row.average.pointing - row.centre.pointing,
    "mass_beyond_chance": lambda row: row.average.mass - row.chance,
    "mass_beyond_centre": lambda row: row.average.mass - row.centre.mass,
}
"""Measures that are averaged over samples: name → value of one sample."""


def summarise(rows: Sequence[ExplainedSample], classes: Sequence[str]) -> dict[str, Group]:
    """Summarise samples by the name of each class that has samples, and over "all".

    Args:
        rows: Explained samples.
        classes: Names of the classes, by label.

    Raises:
        StatsError: There are no samples.
    """
    if not rows:
        raise StatsError("expected at least 1 sample, got 0", where="explanation", hint="explain a sample")
    groups = {name: [row for row in rows if row.label == label] for label, name in enumerate(classes)}
    return {name: _group(found) for name, found in {**groups, "all": list(rows)}.items() if found}


def _group(rows: Sequence[ExplainedSample]) -> Group:
    patients = [row.patient for row in rows]
    groups = patient_groups(patients)
    units = len(np.unique(groups))
    values = {name: [of(row) for row in rows] for name, of in COLUMNS.items()}
    if units > 1:
        found = paired_many(list(values.values()), groups).rows()
        means = [Mean(value=mean.difference, low=mean.low, high=mean.high) for mean in found]
    else:
        means = [Mean(value=sum(column) / len(column), low=None, high=None) for column in values.values()]
    hits = sum(row.average.pointing > 0.5 for row in rows)
    share = wilson(hits, len(rows))
    by_name = dict(zip(values, means, strict=True))
    return Group(
        n=len(rows),
        unit=unit_of(patients),
        units=units,
        ratio=ratio_of(by_name["total_inside"].value, by_name["total_outside"].value),
        hits=hits,
        hits_low=share.low,
        hits_high=share.high,
        silent=sum(row.average.silent for row in rows),
        means=by_name,
    )
