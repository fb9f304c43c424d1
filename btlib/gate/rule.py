"""Rule of the gate: compare a measured case with its baseline. A case that cannot be compared fails."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from btlib import stats
from btlib.errors import StatsError
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.schema import Baseline
from btlib.gate.trainings import between_trainings, is_rescored
from btlib.gate.verdict import WORST_FIRST, Status, Verdict
from btlib.natural_order import natural
from btlib.ranges import POSITIVE
from btlib.results import CaseResult, Conditions, SeedRun, mean_in_order, values_in_order
from btlib.sample_table import SampleTable

_NO_PATIENTS = (
    "some or all samples have no patient id, so the interval is too narrow if a patient has several samples: give the "
    "samples patient ids (PID), or state that they are independent (pytest --bt-independent, "
    "btlib compare --independent)"
)

_ROUNDING = 1e-12  # tolerance for rounding: an interval that ends this close to 0 does not exclude 0


@dataclass(frozen=True)
class Gap:
    """Difference measured − baseline, its 95 % interval, and the method of the interval."""

    difference: float
    low: float
    high: float
    method: str
    note: str = ""


def judge(result: CaseResult, baseline: Baseline, *, strict: bool = False) -> tuple[Verdict, ...]:
    """Compare a measured case with a baseline: one verdict for each metric of the case or of its baseline.

    Let δ be the margin and d = measured − baseline the difference, with reversed sign if lower is better. With the 95 %
    interval of d, the verdict is "pass" if the lower bound is above −δ ("improved" if it is above 0), "regressed" if d
    is below −δ and the whole interval is below 0, else "inconclusive". So the probability of "regressed" without a true
    change stays under 2.5 %, and so does the probability of "pass" at a true loss of δ.

    Numbers measured under other conditions are "not-comparable", however high or low they are. The same holds for
    samples whose patients are unknown, unless the user states that they are independent. Another rendering of the same
    samples is reported in the reason.

    Args:
        result: Measured result with one or several seeds; the mean over seeds is judged.
        baseline: Baseline to compare with; the mean over its seeds is used.
        strict: Whether another rendering is "not-comparable" too.
    """
    asked = dict.fromkeys([*result.metrics, *baseline.gated(result.case)])
    return tuple(judge_metric(result, metric, baseline, strict=strict) for metric in asked)


def judge_against(
    result: CaseResult, baseline: Baseline, references: Sequence[str] | None = None, *, strict: bool = False
) -> list[Verdict]:
    """Compare a case that is not in the baseline with cases of the baseline, on the same samples.

    Args:
        result: Measured result.
        baseline: Baseline with the references' numbers.
        references: Names of the references; None takes all cases.
        strict: Whether another rendering of the same samples is "not-comparable".

    Returns:
        One verdict for each metric of the case and each reference with a margin for it, named in `reference`.
    """
    chosen = baseline.cases if references is None else references
    return [
        replace(
            judge_metric(replace(result, case=name), metric, baseline, strict=strict, newcomer=True),
            case=result.case,
            reference=name,
        )
        for metric in result.metrics
        for name in chosen
        if metric in baseline.gated(name)
    ]


def judge_new(
    result: CaseResult,
    baseline: Baseline,
    references: Sequence[str] | None = None,
    *,
    strict: bool = False,
    found: Sequence[Verdict] | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdict on each metric of a case that is not in the baseline.

    If references are named, the case must pass against all of them: the worst verdict counts. If none is named, it must
    pass against at least one case of the baseline: the best verdict counts.

    Args:
        result: Measured result.
        baseline: Baseline with the references' numbers.
        references: Names of the references; None takes all cases.
        strict: Whether another rendering of the same samples is "not-comparable".
        found: Verdicts of `judge_against` with the same arguments, if already computed.
    """
    if found is None:
        found = judge_against(result, baseline, references, strict=strict)
    choose = max if references is None else min
    return tuple(
        choose(
            (v for v in found if v.metric == metric),
            key=lambda v: WORST_FIRST.index(v.status),
            default=Verdict(
                result.case, metric, "missing-baseline", f"no case of {baseline.name!r} has a margin for it"
            ),
        )
        for metric in result.metrics
    )


def judge_metric(
    result: CaseResult, metric: str, baseline: Baseline, *, strict: bool = False, newcomer: bool = False
) -> Verdict:
    """Return the verdict on one metric; see `judge`."""
    nothing = Verdict(result.case, metric, "error")
    if result.failure is not None:
        return replace(nothing, status=result.failure, reason=result.message)
    figure = baseline.figure(result.case, metric)
    if figure is None or figure.margin is None:
        reason = (
            f"baseline {baseline.name!r} has no figure with a margin for it; accept one with `btlib baseline accept`"
        )
        return replace(nothing, status="missing-baseline", reason=reason)
    known = replace(nothing, baseline=figure.value, margin=figure.margin)
    rendering = other_rendering(result.conditions, baseline.conditions) if baseline.kind == "measured" else ""
    case = baseline.cases[result.case]
    differences = [
        *unlike(result.conditions, baseline.conditions),
        *([rendering] if rendering and strict else []),
        *_other_truth(result, case),
        *_undefined(result, metric, figure),
    ]
    if differences and (baseline.kind == "measured" or not METRICS[metric].available(result.samples)):
        reason = "cannot be compared with the baseline:\n" + "\n".join(differences)
        return replace(known, status="not-comparable", reason=reason)
    verdict = _compared(result, baseline, figure, known, differences, newcomer=newcomer)
    if result.strangers and not result.conditions.independent and verdict.status != "error":
        return replace(
            verdict, status="not-comparable", reason="\n".join([_NO_PATIENTS, *filter(None, [verdict.reason])])
        )
    stated = "samples without patient id are taken as independent, as the user stated" if result.strangers else ""
    return replace(verdict, reason="\n".join(filter(None, [verdict.reason, rendering, stated])))


def three_way(gap: Gap, margin: float, sign: int = 1) -> Status:
    """Return the status for a difference and its interval; numbers that are not finite are "not-comparable".

    Args:
        gap: Difference measured − baseline with its interval.
        margin: Largest tolerated loss, above 0.
        sign: 1 if higher is better, −1 if lower is better.

    Raises:
        StatsError: The margin is not above 0.
    """
    POSITIVE.require(margin, "margin", error=StatsError, hint="0.02 is usual for Dice")
    if not all(map(math.isfinite, (gap.difference, gap.low, gap.high))):
        return "not-comparable"
    worst_case, best_case = (gap.low, gap.high) if sign > 0 else (-gap.high, -gap.low)
    if worst_case > -margin:
        return "improved" if worst_case > _ROUNDING else "pass"
    return "regressed" if sign * gap.difference < -margin and best_case < -_ROUNDING else "inconclusive"


def unlike(measured: Conditions, baseline: Conditions) -> list[str]:
    """Return the differences between two sets of conditions; fields that are None in the baseline are not compared.

    The patients and the fingerprint of the images are not compared here. The fingerprint of the truth is compared if
    both sides have it. The true labels and areas of the test samples are compared elsewhere, if the baseline has them.
    """
    pairs = [
        ("task", measured.task.name, baseline.task.name),
        ("classes", measured.task.classes, baseline.task.classes),
        ("structures", measured.task.structures, baseline.task.structures),
        ("synthetic", measured.task.synthetic, baseline.task.synthetic),
    ]
    pairs += [
        (name, getattr(measured, name), getattr(baseline, name))
        for name in Conditions.model_fields
        if name not in ("task", "input_fingerprint", "patients", "independent")
    ]
    return [
        f"{name}: measured {ours!r}, baseline {theirs!r}"
        for name, ours, theirs in pairs
        if theirs is not None and theirs != ours and (ours is not None or name != "truth_fingerprint")
    ]


def other_rendering(measured: Conditions, baseline: Conditions) -> str:
    """Return a message if the images differ, for example 8-bit and 16-bit copies of the same samples; else ""."""
    ours, theirs = measured.input_fingerprint, baseline.input_fingerprint
    if ours == theirs:
        return ""
    if ours is None or theirs is None:
        side = "the measured result" if ours is None else "the baseline"
        return f"inputs: {side} has no fingerprint of its images, so they may be another rendering"
    return f"inputs: another rendering of the samples (images measured {ours!r}, baseline {theirs!r})"


def paired_gap(ours: CaseResult, runs: list[SeedRun], metric: str) -> Gap:
    """Return the paired difference between the means over seeds, on the same samples; patients are resampled."""
    theirs = mean_in_order(runs, ours.samples, metric)
    found = stats.paired(ours.values(metric), theirs, groups=ours.groups)
    return Gap(found.difference, found.low, found.high, f"paired by {ours.unit}")


def _crossed_gap(ours: CaseResult, baseline: Baseline, metric: str, *, newcomer: bool) -> Gap | None:
    """Return the difference with an interval over samples and trainings; None if the spread of trainings is unknown."""
    case = baseline.cases[ours.case]
    if is_rescored(ours.runs, case.runs):
        return None
    measured, theirs = ours.seed_values(metric), values_in_order(case.runs, ours.samples, metric)
    variance = between_trainings(
        measured.mean(axis=1), theirs.mean(axis=1), ours.case, metric, baseline, same=not newcomer
    )
    if variance is None:
        return None
    shared = variance if newcomer else variance[0]
    found = stats.crossed(measured, theirs, ours.groups, between_trainings=shared)
    low, high = found.bound(0.025), found.bound(0.975)
    spread = " and ".join(dict.fromkeys(f"{math.sqrt(one.value):.4f}" for one in variance))
    note = f"standard deviation between trainings: {spread} ({found.freedom:.1f} degrees of freedom)"
    return Gap(found.difference, low, high, f"paired by {ours.unit}, over trainings", note)


def _other_truth(result: CaseResult, case: BaselineCase) -> list[str]:
    """Return a message on the first sample whose true label or areas differ from the baseline's; else an empty list."""
    known = _truth(result.samples)
    for theirs in (_truth(run.samples) for run in case.runs):
        if theirs.keys() != known.keys():
            apart = sorted(theirs.keys() ^ known.keys(), key=natural)
            return [f"samples: {len(apart)} are on one side only, the first one is {apart[0]}"]
        for name, (label, areas) in theirs.items():
            ours = known[name]
            if ours != (label, areas):
                return [f"sample {name}: measured {_describe_truth(*ours)}, baseline {_describe_truth(label, areas)}"]
    return []


def _truth(table: SampleTable) -> dict[str, tuple[int | None, list[int]]]:
    """Return the label and true areas of every sample by its id."""
    labels: list[int | None] = [None] * table.n if table.label is None else list(table.label)
    return dict(zip(table.id, zip(labels, table.truth_area.tolist(), strict=True), strict=True))


def _describe_truth(label: int | None, areas: list[int]) -> str:
    parts = [] if label is None else [f"label {label}"]
    return " and ".join([*parts, *([f"{', '.join(map(str, areas))} true pixels"] if areas else [])])


def _undefined(result: CaseResult, metric: str, figure: ReferenceValue) -> list[str]:
    """Return other obstacles to the comparison: another version of the metric, a missing column, an undefined value."""
    found = METRICS[metric]
    problems = []
    if found.version != figure.version:
        problems.append(f"version of {metric}: measured {found.version}, baseline {figure.version}")
    for run in result.runs:
        if not found.available(run.samples):
            problems.append(f"{metric}: not measured (seed {run.seed}); measure the case again")
        elif not np.isfinite(found.of(run.samples)).all():
            problems.append(f"{metric}: undefined for some samples (seed {run.seed})")
    return problems


def _compared(
    result: CaseResult,
    baseline: Baseline,
    figure: ReferenceValue,
    known: Verdict,
    differences: list[str],
    *,
    newcomer: bool,
) -> Verdict:
    case = baseline.cases[result.case]
    metric, margin = figure.metric, float(figure.margin or 0)
    seeds = _by_seed(result.runs, figure, result.batch_mean_size)
    value = float(np.mean(seeds))
    try:
        if case.runs:
            gap = _crossed_gap(result, baseline, metric, newcomer=newcomer) or paired_gap(result, case.runs, metric)
        else:
            gap = _unpaired(result, figure, value)
    except StatsError as error:  # a single sample has no interval
        return replace(known, status="error", reason=str(error), measured=value)
    status = three_way(gap, margin, METRICS[metric].sign)
    reason = gap.note or _one_training_each(result.runs, case.runs, gap)
    if differences:
        reason = "\n".join(["the baseline was measured under other conditions:", *differences])
        status = "not-comparable"
    return replace(
        known,
        status=status,
        reason=reason,
        measured=value,
        difference=gap.difference,
        low=gap.low,
        high=gap.high,
        method=gap.method,
        seeds=seeds if len(seeds) > 1 else (),
        baseline_seeds=_by_seed(case.runs, figure, result.batch_mean_size) if len(case.runs) > 1 else (),
    )


def _one_training_each(ours: Sequence[SeedRun], theirs: Sequence[SeedRun], gap: Gap) -> str:
    """Return a note if one training is compared with another, because the interval ignores this variation; else ""."""
    if len(ours) != 1 or len(theirs) != 1:
        return ""
    alike = ours[0].fingerprint == theirs[0].fingerprint or gap.difference == 0
    if ours[0].seed == theirs[0].seed and alike:
        return ""
    return (
        f"one training (seed {ours[0].seed}) is compared with another (seed {theirs[0].seed}): the interval covers the "
        "variation between samples, not between trainings; --bt-seeds 3 shows the latter"
    )


def _by_seed(runs: "list[SeedRun] | tuple[SeedRun, ...]", figure: ReferenceValue, batch_size: int) -> tuple[float, ...]:
    return tuple(gated_value(run.samples, figure.metric, figure.aggregation, batch_size) for run in runs)


def _unpaired(result: CaseResult, figure: ReferenceValue, value: float) -> Gap:
    """Return the unpaired difference from a published mean.

    Without a published standard deviation, that of a proportion is used for accuracy, else the measured one. The
    measured design effect reduces the number of samples on both sides, because samples of one patient are dependent.
    """
    ours = result.values(figure.metric)
    spread = float(ours.std(ddof=1)) if len(ours) > 1 else math.nan
    published = figure.std
    if published is None:
        published = math.sqrt(figure.value * (1 - figure.value)) if figure.metric == "accuracy" else spread
    effect = stats.design_effect(ours, result.groups)
    n, their_n = len(ours) / effect, (figure.n or len(ours)) / effect
    gap = stats.unpaired_mean_difference(float(ours.mean()), spread, n, figure.value, published, their_n)
    shift = value - figure.value - gap.difference  # if the figure is not aggregated as a mean over samples
    return Gap(gap.difference + shift, gap.low + shift, gap.high + shift, f"unpaired, by {result.unit}")
