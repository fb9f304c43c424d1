"""Ranking of a case that is not in the baseline, compared with each case of the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from btlib import stats
from btlib.evaluation.subgroup import Subgroup
from btlib.gate import Baseline, Verdict
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.gate_options import GateOptions
from btlib.gate.measured import with_value
from btlib.gate.newcomers import judge_against
from btlib.gate.verdict import COULD_NOT_TELL
from btlib.results import CaseResult, mean_in_order


@dataclass(frozen=True)
class Ranking:
    """Comparison of a new case with one reference.

    Attributes:
        case: Name of the new case.
        reference: Name of the baseline's case.
        metric: Name in the catalogue of metrics.
        status: Verdict on the new case compared with the reference.
        value: Value of the new case.
        reference_value: Value of the reference.
        margin: Largest tolerated loss, in the metric's unit.
        difference: New − reference; None if they cannot be compared.
        low: Lower bound of the 95 % interval of the difference.
        high: Upper bound of the interval.
        method: Method of the interval, as in `Verdict`.
        p_holm: Two-sided p of no mean difference (`btlib.stats.family_tests`), Holm-corrected over all references and
            metrics of the case; None if the baseline has no values per sample or they cannot be compared.
        rank: Rank by this metric of the new case among itself and the references, 1 is best; None if they cannot be
            compared.
        of: Number of ranked cases.
        images_per_second: Throughput of the reference on the baseline's machine: inference, batch 16, in images/s.
        peak_memory_mib: Peak memory of the reference on that machine, in MiB.
        p_holm_is_bound: Whether the p value is the least that random flips can give, and so only an upper bound.
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
    p_holm_is_bound: bool = False


def rankings(
    result: CaseResult,
    baseline: Baseline,
    against: Sequence[str] | None = None,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
    judged: Sequence[Verdict] | None = None,
) -> list[Ranking]:
    """Compare a measured case with every reference.

    Args:
        result: Measured result.
        baseline: Baseline with the references.
        against: Names of the references; None takes all.
        options: Settings of the gate.
        judged: Verdicts of `judge_against` with the same arguments, if already computed.
    """
    if judged is None:
        judged = judge_against(result, baseline, against, options=options)
    found = [with_value(v, result) for v in judged]
    p = _holm(result, baseline, [(v.reference or "", v.metric) for v in found if _is_tested(v)])
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
            p_holm=p.get((v.reference or "", v.metric), (None, False))[0],
            p_holm_is_bound=p.get((v.reference or "", v.metric), (None, False))[1],
            rank=_rank(v, values[v.metric], result.definitions[v.metric].sign),
            of=len(values[v.metric]) + 1,
            images_per_second=_batch_16(baseline.cases[v.reference or ""]),
            peak_memory_mib=baseline.cases[v.reference or ""].peak_memory_mib,
        )
        for v in found
    ]


def _is_tested(v: Verdict) -> bool:
    """Whether the pair gets a p value: it could be compared, and all samples have a value."""
    return v.status not in COULD_NOT_TELL and Subgroup.parse(v.metric)[1] is None


def _batch_16(reference: BaselineCase) -> float | None:
    throughput = reference.speed.get("inference, batch 16")
    return None if throughput is None else throughput.images_per_second


def _rank(v: Verdict, others: Sequence[float], sign: int) -> int | None:
    if v.measured is None or v.difference is None:
        return None
    return 1 + sum(sign * other > sign * v.measured for other in others)


def _holm(
    result: CaseResult, baseline: Baseline, asked: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[float, bool]]:
    """Return the corrected p of each comparison; a metric of all samples together and of a subgroup has none."""
    measured = [
        (name, metric)
        for name, metric in asked
        if baseline.cases[name].runs
        and result.definitions[metric].level == "sample"
        and result.definitions[metric].subgroup is None
    ]
    if not measured:
        return {}
    rows = []
    for name, metric in measured:
        theirs = mean_in_order(baseline.cases[name].runs, result.samples, metric)
        rows.append(result.values(metric) - theirs)
    found = stats.family_tests(np.stack(rows), result.groups)
    return dict(zip(measured, zip(found.holm.tolist(), found.holm_is_bound.tolist(), strict=True), strict=True))
