"""How much of a score is recognised patients: the same models on two splits, one of which keeps patients apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from btlib import stats
from btlib.errors import RecordError
from btlib.evaluation.catalogue import METRICS
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
        case: Its name.
        metric: "dice" or "accuracy".
        near: Mean over the test samples of the split on which test patients are trained on.
        apart: Mean over those of the split that keeps patients apart.
        gap: near − apart.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        groups_near: Test patients on the one side.
        groups_apart: The same on the other.
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
    """How much higher each case scores where its test patients were trained on.

    The interval draws whole patients on each side by itself. Patients that are in both test sets make it wider than it
    need be. It knows the two trainings that were made, and not how another training would differ.

    Args:
        near: Measured on a split such as "slice-seed42".
        apart: The same cases on a split such as "patient-5fold-1" or "cvind-1".

    Raises:
        RecordError: They share no case, or a case was trained by another recipe or with other seeds, or that is not
            known; or it was measured on other samples, at another size or threshold, or on the same split twice; or
            patients are not known, or are in training and test of `apart`, or nowhere in both of `near`.
        StatsError: Fewer than two patients on a side.
    """
    others = {result.case: result for result in apart.results}
    shared = [(result, others[result.case]) for result in near.results if result.case in others]
    if not shared:
        raise RecordError(
            f"share no case: {', '.join(r.case for r in near.results)}; {', '.join(others)}",
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
        if all(run.samples.n and METRICS[metric].available(run.samples) for r in (one, other) for run in r.runs)
    ]


def leakage_table(gaps: Sequence[Gap], style: str = "simple") -> str:
    """One row a case and metric, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(gap, name) for gap in gaps], "keys", style, disable_numparse=True)


def seen_line(source: Source) -> str:
    """A source, its split, and how many of its test samples have samples of their patient in training."""
    conditions = source.results[0].conditions
    seen = "–" if conditions.patients is None else conditions.patients.seen
    return (
        f"{visible(source.name)}: split {conditions.split_name}; {seen} of {conditions.n_test} test samples have "
        "samples of their patient in training"
    )


def _check_alike(one: CaseResult, other: CaseResult) -> None:
    for result in (one, other):
        if result.failure is not None:
            raise RecordError(f"failed: {result.message}", where=f"case {result.case}", hint="correct it and run again")
    if one.seeds != other.seeds:
        raise RecordError(
            f"trained with seeds {_listed(one.seeds)} against {_listed(other.seeds)}",
            where=f"case {one.case}",
            hint="give both runs the same --bt-seed and --bt-seeds: another training differs too",
        )
    ours, theirs = one.conditions, other.conditions
    differing = [name for name in _SAME if getattr(ours, name) != getattr(theirs, name)]
    if differing or ours.split_name == theirs.split_name:
        raise RecordError(
            f"expected two splits and everything else alike; differing: {', '.join(differing) or 'nothing'}",
            where=f"case {one.case}",
            hint="measure it twice, with another --bt-split and nothing else changed",
        )


def _check_patients(one: CaseResult, other: CaseResult) -> None:
    """What is told is leakage only where one side trained on its test patients and the other did not."""
    sides = [(result, result.conditions.patients) for result in (one, other)]
    for result, known in sides:
        if known is None:
            raise RecordError(
                "whose samples trained it is not known",
                where=f"case {result.case} on {result.conditions.split_name}",
                hint="measure it on samples with known patients; for an old baseline, run `btlib baseline migrate`",
            )
    seen_near, seen_apart = (known.seen for _, known in sides if known is not None)
    if seen_near == 0 or seen_apart > 0:
        raise RecordError(
            f"expected test patients in training on {one.conditions.split_name} and none on "
            f"{other.conditions.split_name}; got {seen_near} and {seen_apart} such test samples",
            where=f"case {one.case}",
            hint="name the run on a split by sample first, and the run on a split by patient second",
        )


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _check_recipe(case: str, near: Source, apart: Source) -> None:
    """What one recipe brings over another is no leakage."""
    for source in (near, apart):
        if case not in source.recipes:
            raise RecordError(
                "how it was trained is not known",
                where=f"case {case} of {source.name}",
                hint="name the folder of its run or its baseline",
            )
    ours, theirs = near.recipes[case], apart.recipes[case]
    differing = [
        f"{key} {ours.get(key)} against {theirs.get(key)}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]
    if differing:
        raise RecordError(
            f"trained by two recipes: {', '.join(differing)}",
            where=f"case {case}",
            hint="train it twice, with another --bt-split and nothing else changed",
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
