"""Differences within subgroups: classes, thirds by true area and structures; and missed structures.

A mean over all samples hides the loss of a few of them. So every comparison is repeated within each subgroup, and a
loss there is a warning.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.evaluation.catalogue import METRICS
from btlib.evaluation.subgroup import Subgroup, subgroups_of
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.gate_options import GateOptions
from btlib.gate.schema import Baseline
from btlib.gate.sides import Side, crossed, side
from btlib.gate.trainings import is_rescored, spreads
from btlib.gate.verdict import SubgroupDifference
from btlib.results import CaseResult

FEWEST_PATIENTS = 3
"""Fewer patients in a subgroup say nothing about others."""

SAMPLES_ALONE = "the interval does not cover another training, because the spread of misses is not known"
ALL_SAMPLES = "spread between trainings estimated from that of all samples"

MISSES = "miss_rate"

_ROUNDING = 1e-12  # a smaller change is none

Values = NDArray[np.float64]


@dataclass(frozen=True)
class _Question:
    """Everything that the comparisons within subgroups of one metric share.

    Attributes:
        result: Measured result.
        case: Numbers to compare with.
        metric: Name of the metric.
        baseline: Baseline of the case.
        same: Whether the models are the same on both sides.
        newcomer: Whether the measured case is another one than the baseline's.
    """

    result: CaseResult
    case: BaselineCase
    metric: str
    baseline: Baseline
    same: bool
    newcomer: bool


def subgroup_differences(
    result: CaseResult,
    case: BaselineCase,
    figure: ReferenceValue,
    baseline: Baseline,
    options: GateOptions,
    *,
    newcomer: bool = False,
) -> tuple[SubgroupDifference, ...]:
    """Compare a measured case with a case of the baseline within each subgroup, worst first.

    The subgroups of a metric are all classes, the thirds by true area and, if there are several, the structures. The
    first gated metric of the case also has the misses: the miss rate of all samples and of the smallest third, unless
    the miss rate is gated itself. A subgroup is warned of if its loss is larger than the margin (for misses: above 0)
    and the one-sided p of no loss is below 2.5 % divided by the number of subgroups (for misses: by two).

    Args:
        result: Measured result; `result.case` is the name of the case in the baseline.
        case: Numbers to compare with.
        figure: Figure of the metric.
        baseline: Baseline of the case.
        options: Settings of the gate.
        newcomer: Whether the measured case is another one than the baseline's.

    Returns:
        One difference per subgroup; empty for a published case, a metric of a subgroup, and a metric of all samples
        together. A subgroup without enough numbers has a note instead.
    """
    metric = result.definitions[figure.metric]
    if not case.runs or metric.level == "set" or metric.subgroup is not None:
        return ()
    same = options.rescore or is_rescored(result.runs, case.runs)
    question = _Question(result, case, figure.metric, baseline, same, newcomer)
    own, misses = _names(result, figure.metric), _misses(result, figure.metric, baseline)
    found = [_compared(question, name, float(figure.margin or 0), options.level, len(own)) for name in own]
    found += [_compared(question, name, 0.0, options.level, len(misses)) for name in misses]
    return tuple(sorted(found, key=lambda one: (not one.warned, 2.0 if one.p is None else one.p)))


def _names(result: CaseResult, metric: str) -> list[str]:
    """Return the metrics of the subgroups of a metric."""
    table = result.samples
    names = [f"{metric}@{one.kind}:{one.value}" for one in subgroups_of(table)]
    several = len(table.structures) > 1 and result.definitions[metric].structure is None
    parts = [f"{metric}/{structure}" for structure in table.structures] if several else []
    return names + [name for name in parts if name in result.definitions]


def _misses(result: CaseResult, metric: str, baseline: Baseline) -> list[str]:
    """Return the metrics of misses, which belong to the first gated metric of a case with masks."""
    gated = [name for name in baseline.gated(result.case) if Subgroup.parse(name)[1] is None]
    if MISSES in gated or metric != gated[0] or not METRICS[MISSES].available(result.samples):
        return []
    return [MISSES, f"{MISSES}@size:small"]


def _title(name: str) -> str:
    """Return the name of a subgroup for readers."""
    whole, subgroup = Subgroup.parse(name)
    structure = METRICS[name].structure if name in METRICS else None
    parts = ["misses"] if whole == MISSES else []
    parts += [subgroup.title] if subgroup else [] if structure is None else [f"structure {structure}"]
    return ", ".join(parts)


def _compared(question: _Question, name: str, margin: float, level: float, number: int) -> SubgroupDifference:
    """Return the difference within one of `number` subgroups."""
    result, runs = question.result, question.case.runs
    defined = result.definitions[name]
    inside, sign = defined.members(result.samples), defined.sign
    nothing = SubgroupDifference(_title(name), name, int(inside.sum()))
    if not all(defined.available(run.samples) for run in (*result.runs, *runs)):
        return replace(nothing, note="cannot tell: not measured on both sides")
    if not inside.any():
        return replace(nothing, note="cannot tell: no sample belongs to it")
    sides = [side(one, result, name) for one in (result.runs, runs)]
    ours, theirs = (_samples(one) for one in sides)
    groups = result.groups[inside]
    if problem := _problem(ours, theirs, groups, result.conditions.task.group):
        return replace(nothing, note=f"cannot tell: {problem}")
    found, note = _difference(question, name, *sides)
    gain = replace(found, difference=sign * found.difference)
    p = max(gain.p_above(0.0), _sign_test(sign * (ours.mean(axis=0) - theirs.mean(axis=0)), groups))
    return replace(
        nothing,
        value=float(ours.mean()),
        baseline=float(theirs.mean()),
        difference=found.difference,
        low=found.bound(level),
        high=found.bound(1 - level),
        p=p,
        warned=-gain.difference > max(margin, _ROUNDING) and p < level / number,
        note=note,
    )


def _problem(ours: Values, theirs: Values, groups: NDArray[np.int64], unit: str) -> str:
    """Return why a subgroup cannot be compared; "" if it can."""
    undefined = int((~np.isfinite(ours).all(axis=0) | ~np.isfinite(theirs).all(axis=0)).sum())
    if undefined:
        return f"{undefined} of {len(groups)} samples have no value"
    patients = len(np.unique(groups))
    return f"{patients} {unit}s, at least {FEWEST_PATIENTS} are needed" if patients < FEWEST_PATIENTS else ""


def _difference(question: _Question, name: str, ours: Side, theirs: Side) -> tuple[stats.Crossed, str]:
    """Return the difference within a subgroup, and a note if its interval does not cover trainings.

    If both sides have several seeds, the variance between trainings is that of the subgroup. Otherwise it is not known.
    It is between that of all samples (trainings differ equally in all subgroups) and n / n_subgroup times as large
    (independently in each); the geometric mean of both stands in. Without this term, unchanged code that is trained
    again is warned of in 10 to 40 % of simulated runs. Misses are rare, and their spread is seldom known: then the
    interval covers patients only.
    """
    alone = ours.averaged(), theirs.averaged(), None
    if question.same:
        return crossed(*alone), ""
    result, newcomer = question.result, question.newcomer
    several = min(len(ours.values), len(theirs.values)) > 1
    if several:
        known = spreads(result, ours, theirs, name, question.baseline, newcomer=newcomer)
    else:
        metric = MISSES if name.startswith(MISSES) else question.metric
        first, second = (side(runs, result, metric) for runs in (result.runs, question.case.runs))
        known = spreads(result, first, second, metric, question.baseline, newcomer=newcomer)
    if known.assumed is not None and name.startswith(MISSES):
        return crossed(*alone), SAMPLES_ALONE
    factor = 1.0 if several else math.sqrt(result.samples.n / len(ours.groups))
    a, b = (replace(one, value=factor * one.value) for one in (known.ours, known.theirs))
    shared = (a, b) if newcomer else a
    found = crossed(ours, theirs, shared)
    return found, "" if several else ALL_SAMPLES


def _samples(one: Side) -> Values:
    assert one.samples is not None  # subgroups are compared in metrics of each sample
    return one.samples


def _sign_test(gain: Values, groups: NDArray[np.int64]) -> float:
    """Return the p of no loss of the exact sign test over the patients that changed; 0 if at least half of them did.

    If few patients changed, they are the whole difference, and Student's t finds too much.
    """
    _, of = np.unique(groups, return_inverse=True)
    change = np.bincount(of, weights=gain)
    worse, better = int((change < -_ROUNDING).sum()), int((change > _ROUNDING).sum())
    if 2 * (worse + better) >= len(change):
        return 0.0
    return stats.mcnemar_from_counts(better, worse).p / 2 if worse > better else 1.0
