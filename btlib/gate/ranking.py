"""Where a case stands that the baseline does not know: beside each case that it knows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from btlib import stats
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline, Verdict
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.measured import with_value
from btlib.gate.rule import judge_against
from btlib.gate.verdict import COULD_NOT_TELL
from btlib.results import CaseResult, mean_in_order


@dataclass(frozen=True)
class Ranking:
    """A new case beside one reference.

    Attributes:
        case: The new case.
        reference: The case of the baseline.
        metric: Name in the catalogue.
        status: The gate's verdict on the new case, held against the reference.
        value: Of the new case.
        reference_value: Of the reference.
        margin: The largest loss that is tolerated, in the metric's unit.
        difference: New − reference; None where they cannot be compared.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        method: How the interval was made, as in `Verdict`: paired by sample, or not.
        p_holm: Two-sided p of sign flips, Holm-corrected over all references and metrics of the case; None where the
            baseline has no samples.
        rank: Of the new case among itself and the references by this metric, 1 is best; None where they cannot be
            compared.
        of: How many those are.
        images_per_second: Of the reference on the baseline's machine, at inference with batch 16.
        peak_memory_mib: Of the reference there.
    """

    case: str
    reference: str
    metric: str
    status: str
    value: float | None
    reference_value: float | None
    margin: float | None
    difference: float | None
    low: float | None
    high: float | None
    method: str | None
    p_holm: float | None
    rank: int | None
    of: int
    images_per_second: float | None
    peak_memory_mib: float | None


def rankings(
    result: CaseResult,
    baseline: Baseline,
    against: Sequence[str] | None = None,
    *,
    strict: bool = False,
    judged: Sequence[Verdict] | None = None,
) -> list[Ranking]:
    """Hold a measured case against every reference.

    Args:
        result: What was measured.
        baseline: Holds the references.
        against: Names of references; None takes all.
        strict: Another rendering of the same samples is "not-comparable".
        judged: What `judge_against` said of the very same, where that is known.
    """
    if judged is None:
        judged = judge_against(result, baseline, against, strict=strict)
    found = [with_value(v, result) for v in judged]
    p = _holm(result, baseline, [(v.reference or "", v.metric) for v in found if v.status not in COULD_NOT_TELL])
    values = {m: [v.baseline for v in found if v.metric == m and v.baseline is not None] for m in result.metrics}
    return [
        Ranking(
            case=v.case,
            reference=v.reference or "",
            metric=v.metric,
            status=v.status,
            value=v.measured,
            reference_value=v.baseline,
            margin=v.margin,
            difference=v.difference,
            low=v.low,
            high=v.high,
            method=v.method,
            p_holm=p.get((v.reference or "", v.metric)),
            rank=_rank(v, values[v.metric]),
            of=len(values[v.metric]) + 1,
            images_per_second=_batch_16(baseline.cases[v.reference or ""]),
            peak_memory_mib=baseline.cases[v.reference or ""].peak_memory_mib,
        )
        for v in found
    ]


def _batch_16(reference: BaselineCase) -> float | None:
    throughput = reference.speed.get("inference, batch 16")
    return None if throughput is None else throughput.images_per_second


def _rank(v: Verdict, others: Sequence[float]) -> int | None:
    if v.measured is None or v.difference is None:
        return None
    sign = METRICS[v.metric].sign
    return 1 + sum(sign * other > sign * v.measured for other in others)


def _holm(result: CaseResult, baseline: Baseline, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    measured = [(name, metric) for name, metric in asked if baseline.cases[name].runs]
    if not measured:
        return {}
    rows = []
    for name, metric in measured:
        theirs = mean_in_order(baseline.cases[name].runs, result.samples, metric)
        rows.append(result.values(metric) - theirs)
    raw = stats.paired_many(np.stack(rows), result.groups).p
    return dict(zip(measured, map(float, stats.holm(raw)), strict=True))
