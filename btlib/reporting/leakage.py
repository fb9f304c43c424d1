"""Patient leakage: the scores of the same cases on a split by sample and on a split by patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from btlib import stats
from btlib.errors import RecordError
from btlib.gate.recipes import differences
from btlib.reporting.names import Naming, naming, visible
from btlib.reporting.numbers import interval, number
from btlib.reporting.significance import TESTED
from btlib.reporting.sources import Source
from btlib.results import CaseResult

_SAME = ("task", "truth_fingerprint", "input_fingerprint", "image_size", "scaling", "threshold")


@dataclass(frozen=True)
class Gap:
    """One metric of one case on two splits.

    Attributes:
        case: Name of the case.
        metric: "dice" or "accuracy".
        near: Mean over the test samples of the split in which test patients are also in training.
        apart: Mean over the test samples of the split in which no test patient is in training.
        gap: near − apart.
        low: Lower bound of the gap's 95 % interval.
        high: Upper bound of the interval.
        groups_near: Number of test patients of the first split.
        groups_apart: Number of test patients of the second split.
    """

    case: str
    metric: str
    near: float
    apart: float
    gap: float
    low: float
    high: float
    groups_near: int
    groups_apart: int


def leakage(near: Source, apart: Source) -> list[Gap]:
    """Return how much higher each case scores if its test patients are also in training.

    The interval resamples patients separately on each side. If patients are in both test sets, it is wider than
    necessary. It does not include the variation between training runs.

    Args:
        near: Cases measured on a split by sample, such as "slice-seed42".
        apart: The same cases measured on a split by patient, such as "patient-5fold-1" or "cvind-1".

    Raises:
        RecordError: The sources have no common case; a case was trained with different recipes or seeds, or its recipe
            is unknown; it was measured on different data, at different sizes or thresholds, or on the same split;
            its patients are unknown; test patients are in training of `apart`, or none is in training of `near`.
        StatsError: One side has fewer than two patients.
    """
    others = {result.case: result for result in apart.results}
    shared = [(result, others[result.case]) for result in near.results if result.case in others]
    if not shared:
        raise RecordError(
            f"expected a common case, found {', '.join(r.case for r in near.results)} and {', '.join(others)}",
            where="the two runs",
            hint="measure the same cases on both splits",
        )
    for one, other in shared:
        _check_alike(one, other)
        _check_patients(one, other)
        _check_recipe(one.case, near, apart)
    return [
        _gap(one, other, metric)
        for one, other in shared
        for metric in TESTED
        if all(run.samples.n and r.definitions[metric].available(run.samples) for r in (one, other) for run in r.runs)
    ]


def leakage_table(gaps: Sequence[Gap], style: str = "simple") -> str:
    """Return a table with one row per case and metric, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(gap, name) for gap in gaps], "keys", style, disable_numparse=True)


def seen_line(source: Source) -> str:
    """Return a line with the source, its split, and how many test samples are of patients in training."""
    conditions = source.results[0].conditions
    seen = "–" if conditions.patients is None else conditions.patients.seen
    return (
        f"{visible(source.name)}: split {conditions.split_name}; {seen} of {conditions.n_test} test samples "
        "are of patients who are also in training"
    )


def _check_alike(one: CaseResult, other: CaseResult) -> None:
    for result in (one, other):
        if result.failure is not None:
            raise RecordError(f"failed: {result.message}", where=f"case {result.case}", hint="correct it and run again")
    if one.seeds != other.seeds:
        raise RecordError(
            f"expected the same seeds in both runs, found {_listed(one.seeds)} and {_listed(other.seeds)}",
            where=f"case {one.case}",
            hint="use the same --bt-seed and --bt-seeds for both runs",
        )
    ours, theirs = one.conditions, other.conditions
    differing = [name for name in _SAME if getattr(ours, name) != getattr(theirs, name)]
    if differing or ours.split_name == theirs.split_name:
        raise RecordError(
            "expected different splits and otherwise equal conditions, found different: "
            f"{', '.join(differing) or 'nothing'}",
            where=f"case {one.case}",
            hint="measure the case twice and change only --bt-split",
        )


def _check_patients(one: CaseResult, other: CaseResult) -> None:
    """Check that test patients are in training on the first split and not on the second."""
    sides = [(result, result.conditions.patients) for result in (one, other)]
    for result, known in sides:
        if known is None:
            raise RecordError(
                "the patients in training are not known",
                where=f"case {result.case} on {result.conditions.split_name}",
                hint="measure it on samples with known patients; for an old baseline, run `btlib baseline migrate`",
            )
    seen_near, seen_apart = (known.seen for _, known in sides if known is not None)
    if seen_near == 0 or seen_apart > 0:
        raise RecordError(
            f"expected test patients in training on {one.conditions.split_name} and none on "
            f"{other.conditions.split_name}, found {seen_near} and {seen_apart} test samples of such patients",
            where=f"case {one.case}",
            hint="name the run on the split by sample first and the run on the split by patient second",
        )


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _check_recipe(case: str, near: Source, apart: Source) -> None:
    """Check that both sources trained the case with the same recipe."""
    for source in (near, apart):
        if case not in source.recipes:
            raise RecordError(
                "the training recipe is not known",
                where=f"case {case} of {source.name}",
                hint="name the folder of the run, or the baseline",
            )
    ours, theirs = near.recipes[case], apart.recipes[case]
    differing = [f"{key} {a} and {b}" for key, (a, b) in differences(ours, theirs).items()]
    if differing:
        raise RecordError(
            f"expected the same recipe in both runs, found {', '.join(differing)}",
            where=f"case {case}",
            hint="train the case twice and change only --bt-split",
        )


def _gap(one: CaseResult, other: CaseResult, metric: str) -> Gap:
    ours, theirs = one.values(metric), other.values(metric)
    found = stats.unpaired(ours, theirs, one.groups, other.groups)
    return Gap(
        case=one.case,
        metric=metric,
        near=float(ours.mean()),
        apart=float(theirs.mean()),
        gap=found.difference,
        low=found.low,
        high=found.high,
        groups_near=len(np.unique(one.groups)),
        groups_apart=len(np.unique(other.groups)),
    )


def _row(gap: Gap, name: Naming) -> dict[str, str]:
    return {
        "case": name(gap.case),
        "metric": gap.metric,
        "patients shared": number(gap.near, ".4f"),
        "patients apart": number(gap.apart, ".4f"),
        "gap": number(gap.gap, "+.4f"),
        "95 % interval": interval(gap.low, gap.high),
        "patients": f"{gap.groups_near} / {gap.groups_apart}",
    }
