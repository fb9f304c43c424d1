"""The gate: whether a measured case holds up against its baseline. Whatever cannot be compared fails."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from btlib import stats
from btlib.errors import StatsError
from btlib.evaluation.aggregate import gated_value, natural
from btlib.evaluation.catalogue import METRICS
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.schema import Baseline
from btlib.gate.verdict import WORST_FIRST, Status, Verdict
from btlib.results import CaseResult, Conditions, SeedRun, mean_in_order
from btlib.sample_table import SampleTable

_NO_PATIENTS = (
    "some or all samples have no patient id, so the interval is too narrow where a patient has several: give the "
    "samples patient ids (PID), or say that they are independent (pytest --bt-independent, btlib compare --independent)"
)

_ROUNDING = 1e-12  # an interval that ends at 0 but for rounding does not exclude it


@dataclass(frozen=True)
class Gap:
    """Measured − baseline with its 95 % interval, and how that was made."""

    difference: float
    low: float
    high: float
    method: str


def judge(result: CaseResult, baseline: Baseline, *, strict: bool = False) -> tuple[Verdict, ...]:
    """Hold a measured case against a baseline: one verdict for each metric the case or the baseline asks for.

    With margin δ and the 95 % interval of the difference d = measured − baseline (its sign turned for a metric where
    lower is better): "pass" if its lower bound is above −δ ("improved" if above 0); "regressed" if d is below −δ and
    the whole interval below 0; else "inconclusive". Without a true change a verdict of "regressed" so stays under
    2.5 %, and so does a "pass" at a true loss of δ.

    Numbers made under other conditions are "not-comparable", however high or low they are. So are numbers on samples
    whose patients are unknown, unless the user says that they are independent. Another rendering of the same samples
    is named in the reason.

    Args:
        result: What was measured, with one seed or several; the mean over seeds is judged.
        baseline: What it is held against; the mean over its seeds counts.
        strict: Another rendering is "not-comparable" too.
    """
    asked = dict.fromkeys([*result.metrics, *baseline.gated(result.case)])
    return tuple(judge_metric(result, metric, baseline, strict=strict) for metric in asked)


def judge_against(
    result: CaseResult, baseline: Baseline, references: Sequence[str] | None = None, *, strict: bool = False
) -> list[Verdict]:
    """Hold a case that the baseline does not know against cases that it knows, on the same samples.

    Args:
        result: What was measured.
        baseline: Holds the references' numbers.
        references: Names of cases; None takes all.
        strict: Another rendering of the same samples is "not-comparable".

    Returns:
        One verdict for each metric of the case and each reference that has it, named in `reference`.
    """
    chosen = baseline.cases if references is None else references
    return [
        replace(
            judge_metric(replace(result, case=name), metric, baseline, strict=strict), case=result.case, reference=name
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
    """The verdict on each metric of a case that the baseline does not know.

    References that are named must all be held, so the worst verdict counts; where none are named, it is enough to
    hold against one of all that the baseline knows, and the best verdict counts.

    Args:
        result: What was measured.
        baseline: Holds the references' numbers.
        references: Names of cases; None takes all.
        strict: Another rendering of the same samples is "not-comparable".
        found: What `judge_against` said of the very same, where that is known.
    """
    if found is None:
        found = judge_against(result, baseline, references, strict=strict)
    choose = max if references is None else min
    return tuple(
        choose(
            (v for v in found if v.metric == metric),
            key=lambda v: WORST_FIRST.index(v.status),
            default=Verdict(result.case, metric, "missing-baseline", f"no case of {baseline.name!r} is gated by it"),
        )
        for metric in result.metrics
    )


def judge_metric(result: CaseResult, metric: str, baseline: Baseline, *, strict: bool = False) -> Verdict:
    """The verdict on one metric; see `judge`."""
    nothing = Verdict(result.case, metric, "error")
    if result.failure is not None:
        return replace(nothing, status=result.failure, reason=result.message)
    figure = baseline.figure(result.case, metric)
    if figure is None or figure.margin is None:
        reason = f"baseline {baseline.name!r} has no gated figure for it; accept one with `btlib baseline accept`"
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
    verdict = _compared(result, case, figure, known, differences)
    if result.strangers and not result.conditions.independent and verdict.status != "error":
        return replace(
            verdict, status="not-comparable", reason="\n".join([_NO_PATIENTS, *filter(None, [verdict.reason])])
        )
    stated = "samples without patient id are taken as independent, as the user says" if result.strangers else ""
    return replace(verdict, reason="\n".join(filter(None, [verdict.reason, rendering, stated])))


def three_way(gap: Gap, margin: float, sign: int = 1) -> Status:
    """The rule of the gate on a difference and its interval; numbers that are not finite are "not-comparable".

    Args:
        gap: Measured − baseline.
        margin: The largest loss tolerated, above 0.
        sign: 1 where higher is better, −1 where lower is.
    """
    if not all(map(math.isfinite, (gap.difference, gap.low, gap.high))):
        return "not-comparable"
    worst_case, best_case = (gap.low, gap.high) if sign > 0 else (-gap.high, -gap.low)
    if worst_case > -margin:
        return "improved" if worst_case > _ROUNDING else "pass"
    return "regressed" if sign * gap.difference < -margin and best_case < -_ROUNDING else "inconclusive"


def unlike(measured: Conditions, baseline: Conditions) -> list[str]:
    """Where two sets of conditions differ; what is not known (None) of the baseline is not compared.

    Who the patients are does not make numbers: it is not compared. The truth is, where both know it; the test samples
    themselves are compared besides, wherever the baseline has them.
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
    """That the images differ where the truth may be the same, such as copies of 8 and 16 bits; "" where they do not."""
    ours, theirs = measured.input_fingerprint, baseline.input_fingerprint
    if ours == theirs:
        return ""
    if ours is None or theirs is None:
        side = "what was measured" if ours is None else "the baseline"
        return f"inputs: {side} does not know its images, so they may be another rendering"
    return f"inputs: another rendering of the samples (images measured {ours!r}, baseline {theirs!r})"


def paired_gap(ours: CaseResult, runs: list[SeedRun], metric: str) -> Gap:
    """On the same samples, the mean over seeds against that of other runs; whole patients are drawn."""
    theirs = mean_in_order(runs, ours.samples, metric)
    found = stats.paired(ours.values(metric), theirs, groups=ours.groups)
    return Gap(found.difference, found.low, found.high, f"paired by {ours.unit}")


def _other_truth(result: CaseResult, case: BaselineCase) -> list[str]:
    """The first sample on which the measured tables and the baseline's do not agree what is true."""
    known = _truth(result.samples)
    for theirs in (_truth(run.samples) for run in case.runs):
        if theirs.keys() != known.keys():
            apart = sorted(theirs.keys() ^ known.keys(), key=natural)
            return [f"samples: {len(apart)} are on one side only, the first of them {apart[0]}"]
        for name, (label, areas) in theirs.items():
            ours = known[name]
            if ours != (label, areas):
                return [f"sample {name}: measured {_describe_truth(*ours)}, baseline {_describe_truth(label, areas)}"]
    return []


def _truth(table: SampleTable) -> dict[str, tuple[int | None, list[int]]]:
    """Label and true areas of every sample by its id."""
    labels: list[int | None] = [None] * table.n if table.label is None else list(table.label)
    return dict(zip(table.id, zip(labels, table.truth_area.tolist(), strict=True), strict=True))


def _describe_truth(label: int | None, areas: list[int]) -> str:
    parts = [] if label is None else [f"label {label}"]
    return " and ".join([*parts, *([f"{', '.join(map(str, areas))} true pixels"] if areas else [])])


def _undefined(result: CaseResult, metric: str, figure: ReferenceValue) -> list[str]:
    """What stands in the way besides the conditions: another definition, a missing column, an undefined value."""
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
    result: CaseResult, case: BaselineCase, figure: ReferenceValue, known: Verdict, differences: list[str]
) -> Verdict:
    metric, margin = figure.metric, float(figure.margin or 0)
    seeds = _by_seed(result.runs, figure, result.batch_mean_size)
    value = float(np.mean(seeds))
    try:
        gap = paired_gap(result, case.runs, metric) if case.runs else _unpaired(result, figure, value)
    except StatsError as error:  # a single sample has no interval
        return replace(known, status="error", reason=str(error), measured=value)
    status, reason = three_way(gap, margin, METRICS[metric].sign), _one_training_each(result.runs, case.runs, gap)
    if differences:
        reason = "\n".join(["the baseline was made under other conditions:", *differences])
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
    """What the interval leaves out where one training is held against another; else nothing."""
    if len(ours) != 1 or len(theirs) != 1:
        return ""
    alike = ours[0].fingerprint == theirs[0].fingerprint or gap.difference == 0
    if ours[0].seed == theirs[0].seed and alike:
        return ""
    return (
        f"one training (seed {ours[0].seed}) against another (seed {theirs[0].seed}): the interval knows how samples "
        "differ, not how trainings do; --bt-seeds 3 shows that"
    )


def _by_seed(runs: "list[SeedRun] | tuple[SeedRun, ...]", figure: ReferenceValue, batch_size: int) -> tuple[float, ...]:
    return tuple(gated_value(run.samples, figure.metric, figure.aggregation, batch_size) for run in runs)


def _unpaired(result: CaseResult, figure: ReferenceValue, value: float) -> Gap:
    """Against a published mean. Without a published spread, a proportion's own, or else the spread measured here.

    Samples of a patient count as fewer on both sides, by the design effect that is measured here.
    """
    ours = result.values(figure.metric)
    spread = float(ours.std(ddof=1)) if len(ours) > 1 else math.nan
    published = figure.std
    if published is None:
        published = math.sqrt(figure.value * (1 - figure.value)) if figure.metric == "accuracy" else spread
    effect = stats.design_effect(ours, result.groups)
    n, their_n = len(ours) / effect, (figure.n or len(ours)) / effect
    gap = stats.unpaired_mean_difference(float(ours.mean()), spread, n, figure.value, published, their_n)
    shift = value - figure.value - gap.difference  # the figure's own aggregation, where it is not the sample mean
    return Gap(gap.difference + shift, gap.low + shift, gap.high + shift, f"unpaired, by {result.unit}")
