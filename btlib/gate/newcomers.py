"""Judge a case that is not in the baseline: it is compared with cases of the baseline on the same samples."""

from collections.abc import Sequence
from dataclasses import replace

from btlib.gate.gate_options import GateOptions
from btlib.gate.rule import judge_metric
from btlib.gate.schema import Baseline
from btlib.gate.verdict import COULD_NOT_TELL, WORST_FIRST, Verdict
from btlib.results import CaseResult


def judge_against(
    result: CaseResult,
    baseline: Baseline,
    references: Sequence[str] | None = None,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
) -> list[Verdict]:
    """Compare a case that is not in the baseline with cases of the baseline.

    Args:
        result: Measured result.
        baseline: Baseline with the references' numbers.
        references: Names of the references; None takes all cases.
        options: Settings of the gate.

    Returns:
        One verdict for each metric of the case and each reference with a margin for it, named in `reference`.
    """
    chosen = baseline.cases if references is None else references
    return [
        replace(
            judge_metric(replace(result, case=name), metric, baseline, options, newcomer=True),
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
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
    found: Sequence[Verdict] | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdict on each metric of a case that is not in the baseline.

    If references are named, the case must pass against all of them: the worst verdict counts. If none is named, it is
    judged against the best reference of each metric; the other comparisons are information.

    Args:
        result: Measured result.
        baseline: Baseline with the references' numbers.
        references: Names of the references; None takes the best case of each metric.
        options: Settings of the gate.
        found: Verdicts of `judge_against` with the same arguments, if already computed.
    """
    if result.failure is not None:
        return tuple(Verdict(result.case, metric, result.failure, result.message) for metric in result.metrics)
    if found is None:
        found = judge_against(result, baseline, references, options=options)
    return tuple(_of_metric(result, metric, baseline, references, found) for metric in result.metrics)


def _of_metric(
    result: CaseResult, metric: str, baseline: Baseline, references: Sequence[str] | None, found: Sequence[Verdict]
) -> Verdict:
    judged = [verdict for verdict in found if verdict.metric == metric]
    if not judged:
        return Verdict(result.case, metric, "missing-baseline", f"no case of {baseline.name!r} has a margin for it")
    if references is not None:
        return min(judged, key=lambda verdict: WORST_FIRST.index(verdict.status))
    best = max(judged, key=lambda verdict: result.definitions[metric].sign * _value(baseline, verdict))
    if best.status in COULD_NOT_TELL:
        return best
    reason = f"{best.reference} has the best {metric} of {baseline.name!r}; name other references with --bt-against"
    return replace(best, reason="\n".join(filter(None, [best.reason, reason])))


def _value(baseline: Baseline, verdict: Verdict) -> float:
    figure = baseline.figure(verdict.reference or "", verdict.metric)
    return figure.value if figure else float("nan")
