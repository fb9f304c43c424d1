"""Rule of the gate: compare a measured case with its baseline. A case that cannot be compared fails."""

import math
from dataclasses import replace

from btlib import stats
from btlib.errors import StatsError
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.comparable import other_rendering, other_score, other_spacing, other_truth, undefined, unlike
from btlib.gate.difference import Difference, by_seed, difference
from btlib.gate.gate_options import GateOptions
from btlib.gate.power import power_of
from btlib.gate.schema import Baseline
from btlib.gate.subgroups import subgroup_differences
from btlib.gate.verdict import Drift, Status, Verdict
from btlib.ranges import POSITIVE
from btlib.results import CaseResult

FEWEST_GROUPS = 3
"""Fewer patients say nothing about others."""

DRIFT_MARGINS = 2.0
"""Loss since the first accepted numbers that the gate tolerates, in margins."""

_NO_PATIENTS = (
    "some or all samples have no patient id, so the interval is too narrow if a patient has several samples: give the "
    "samples patient ids (PID), or state that they are independent (pytest --bt-independent, "
    "btlib compare --independent)"
)

_ROUNDING = 1e-12  # tolerance for rounding: a bound this close to 0 is not above 0


def judge(
    result: CaseResult,
    baseline: Baseline,
    *,
    strict: bool = False,
    alpha: float = 0.05,
    looks: int = 1,
    rescore: bool = False,
) -> tuple[Verdict, ...]:
    """Compare a measured case with a baseline: one verdict for each metric of the case or of its baseline.

    Let δ be the margin, d = measured − baseline the difference, with reversed sign if lower is better, and K the number
    of gated metrics of the baseline. The variance of d covers patients and trainings (`stats.crossed`). The verdict is

    - "pass" if the lower bound of the 95 % interval of d is above −δ ("improved" if it is above 0),
    - "regressed" if d is below −δ and the one-sided p of no loss is below alpha / K,
    - "suspect" if d is below −δ and this p is only below 2.5 %,
    - else "inconclusive", and always with fewer than three patients.

    So an unchanged suite has a regression with a probability of at most alpha, whichever of its cases were run, and a
    case with a true loss of δ passes with a probability of at most 2.5 %. If the baseline stores the numbers that were
    accepted first, the same rule with the margin 2δ compares the case with these.

    Numbers measured under other conditions are "not-comparable", however high or low they are. The same holds for
    samples whose patients are unknown, unless the user states that they are independent. Another rendering of the same
    samples is reported in the reason.

    Args:
        result: Measured result with one or several seeds; the mean over seeds is judged.
        baseline: Baseline to compare with; the mean over its seeds is used.
        strict: Whether another rendering is "not-comparable" too.
        alpha: Probability that an unchanged suite has any regression, between 0 and 1.
        looks: Number of times that a case may be judged while seeds are added; every level is divided by it.
        rescore: Whether the models are the same on both sides, so that the interval covers no trainings.

    Raises:
        OptionError: `alpha` or `looks` is out of range.
    """
    return judge_with(result, baseline, GateOptions(strict, alpha, looks, rescore))


def judge_with(result: CaseResult, baseline: Baseline, options: GateOptions) -> tuple[Verdict, ...]:
    """Return the verdicts of `judge` with these settings."""
    asked = dict.fromkeys([*result.metrics, *baseline.gated(result.case)])
    return tuple(judge_metric(result, metric, baseline, options) for metric in asked)


def judge_metric(
    result: CaseResult,
    metric: str,
    baseline: Baseline,
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
    *,
    newcomer: bool = False,
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
    case, conditions = baseline.cases[result.case], baseline.conditions_of(result.case)
    rendering = other_rendering(result.conditions, conditions) if baseline.kind == "measured" else ""
    differences = [
        *unlike(result.conditions, conditions),
        *other_score(result.conditions, conditions, metric),
        *other_spacing(result.conditions, conditions, result.definitions[metric]),
        *([rendering] if rendering and options.strict else []),
        *other_truth(result, case),
        *undefined(result, metric, figure),
    ]
    if differences and (baseline.kind == "measured" or not result.definitions[metric].available(result.samples)):
        reason = "cannot be compared with the baseline:\n" + "\n".join(differences)
        return replace(known, status="not-comparable", reason=reason)
    verdict = _compared(result, baseline, figure, known, differences, options, newcomer=newcomer)
    if result.strangers and not result.conditions.independent and verdict.status != "error":
        return replace(
            verdict, status="not-comparable", reason="\n".join([_NO_PATIENTS, *filter(None, [verdict.reason])])
        )
    stated = "samples without patient id are taken as independent, as the user stated" if result.strangers else ""
    return replace(verdict, reason="\n".join(filter(None, [verdict.reason, rendering, stated])))


def status_of(found: stats.Crossed, margin: float, sign: int, level: float, red: float) -> Status:
    """Return the status for a difference; numbers that are not finite are "not-comparable".

    Args:
        found: Difference measured − baseline with its variance.
        margin: Largest tolerated loss, above 0.
        sign: 1 if higher is better, −1 if lower is better.
        level: One-sided level of the bound of a pass, and of a suspected loss.
        red: Largest one-sided p of a regression.

    Raises:
        StatsError: The margin is not above 0.
    """
    POSITIVE.require(margin, "margin", error=StatsError, hint="0.02 is usual for Dice")
    if not all(map(math.isfinite, (found.difference, found.error))):
        return "not-comparable"
    if found.n_groups < FEWEST_GROUPS:
        return "inconclusive"
    gain = replace(found, difference=sign * found.difference)
    lowest = gain.bound(level)
    if lowest > -margin:
        return "improved" if lowest > _ROUNDING else "pass"
    if gain.difference >= -margin:
        return "inconclusive"
    p = gain.p_above(0.0)
    return "regressed" if p < red else "suspect" if p < level else "inconclusive"


def _compared(
    result: CaseResult,
    baseline: Baseline,
    figure: ReferenceValue,
    known: Verdict,
    differences: list[str],
    options: GateOptions,
    *,
    newcomer: bool,
) -> Verdict:
    case = baseline.cases[result.case]
    margin, sign = float(figure.margin or 0), result.definitions[figure.metric].sign
    seeds = by_seed(result.runs, figure, result.batch_mean_size)
    try:
        gap = difference(result, case, figure, baseline, rescore=options.rescore, newcomer=newcomer)
    except StatsError as error:  # one patient has no interval
        few = len(set(result.groups.tolist())) < FEWEST_GROUPS
        measured = sum(seeds) / len(seeds)
        return replace(known, status="inconclusive" if few else "error", reason=str(error), measured=measured)
    level, red, found = options.level, options.red(baseline.family), gap.found
    status = status_of(found, margin, sign, level, red)
    judged = status != "not-comparable" and found.n_groups >= FEWEST_GROUPS
    power = power_of(found, margin, level, red, result.unit, assumed=gap.assumed) if judged else None
    drift = None if newcomer or differences else _drift(result, case, figure, baseline, options)
    reasons = [gap.note]
    if found.n_groups < FEWEST_GROUPS:
        reasons.append(f"{found.n_groups} {result.unit}s say nothing about others: at least {FEWEST_GROUPS} are needed")
    if status == "suspect":
        reasons.append(
            f"the loss is beyond chance for this metric alone, but not among the {baseline.family} gated metrics of "
            "the baseline: measure more seeds or samples"
        )
    if drift is not None and drift.status in ("regressed", "suspect"):
        reasons.append(drift.describe())
        status = "regressed" if "regressed" in (status, drift.status) else "suspect"
    if differences:
        reasons, power = ["the baseline was measured under other conditions:", *differences], None
        status = "not-comparable"
    return replace(
        known,
        status=status,
        reason="\n".join(filter(None, reasons)),
        measured=gap.measured,
        difference=found.difference,
        low=found.bound(level),
        high=found.bound(1 - level),
        confidence=1 - 2 * level,
        p=_p(found, sign),
        red=red,
        family=baseline.family,
        method=gap.method,
        spread=gap.spread,
        freedom=found.freedom,
        seeds=seeds if len(seeds) > 1 else (),
        baseline_seeds=by_seed(case.runs, figure, result.batch_mean_size) if len(case.runs) > 1 else (),
        power=power,
        drift=drift,
        subgroups=()
        if differences
        else subgroup_differences(result, case, figure, baseline, options, newcomer=newcomer),
    )


def _p(found: stats.Crossed, sign: int) -> float:
    """Return the one-sided p of no loss."""
    return replace(found, difference=sign * found.difference).p_above(0.0)


def _drift(
    result: CaseResult, case: BaselineCase, figure: ReferenceValue, baseline: Baseline, options: GateOptions
) -> Drift | None:
    """Compare with the numbers of the case that were accepted first; None if there are none for this metric."""
    first = case.first
    if first is None:
        return None
    gated = (f for f in first.figures if f.metric == figure.metric and f.margin is not None)
    then = next(gated, None) or _gated_later(result, first, figure)
    if then is None or then.version != figure.version or other_truth(result, first):
        return None
    try:
        gap: Difference = difference(result, first, then, baseline, rescore=False)
    except StatsError:
        return None
    margin, sign = DRIFT_MARGINS * float(figure.margin or 0), result.definitions[figure.metric].sign
    status = status_of(gap.found, margin, sign, options.level, options.red(baseline.family))
    made = first.made.created if first.made else baseline.created
    low, high = gap.found.bound(options.level), gap.found.bound(1 - options.level)
    return Drift(status, made, then.value, gap.found.difference, low, high, margin)


def _gated_later(result: CaseResult, first: BaselineCase, figure: ReferenceValue) -> ReferenceValue | None:
    """Return the first value of a metric that got its margin later; None if the first samples do not contain it."""
    available = result.definitions[figure.metric].available
    if not first.runs or not all(available(run.samples) for run in first.runs):
        return None
    values = by_seed(first.runs, figure, result.batch_mean_size)
    return figure.model_copy(update={"value": round(sum(values) / len(values), 6)})
