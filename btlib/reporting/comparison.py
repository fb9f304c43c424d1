"""One row a case: verdict, metrics, throughput, seconds, and where the model came from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from btlib.baselines import Baseline, Verdict, judge, judge_new
from btlib.baselines.held import NotComparedError
from btlib.baselines.pace import Pace
from btlib.baselines.verdict import worst
from btlib.errors import BaselineError, RecordError
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.measured import mean_value, with_value
from btlib.reporting.standing import Standing, standings
from btlib.results import CaseResult
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import as_results
from btlib.runs.speed import Speed


@dataclass(frozen=True)
class Row:
    """A case in the comparison.

    Attributes:
        case: Its name.
        title: What it is.
        status: The worst of its verdicts; "reference" for a case that was read from the baseline.
        verdicts: One a metric.
        values: Metric of the catalogue → measured value, the mean over seeds; None where it has none.
        seeds: The seeds it was measured with.
        speeds: Figure → images/s and how many times as fast as the thesis path.
        peak_memory_mib: Largest memory of the process while predicting.
        seconds: Time of the case in this run, training included, all seeds together; None for a reference.
        source: Where its models came from; "–" where there are none.
        notes: What a reader must know.
    """

    case: str
    title: str
    status: str
    verdicts: tuple[Verdict, ...]
    values: Mapping[str, float | None]
    seeds: tuple[int, ...]
    speeds: Mapping[str, Pace]
    peak_memory_mib: float | None
    seconds: float | None
    source: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All cases of one run against one baseline.

    Attributes:
        info: The run.
        rows: One a case.
        missing: Cases that were to be measured and have no record.
        standings: Where cases stand that the baseline does not know, beside those that it knows.
        references: The latter, as the baseline has them, where they were not measured in this run too.
    """

    info: RunInfo
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()
    standings: tuple[Standing, ...] = ()
    references: tuple[Row, ...] = ()


def verdicts(
    result: CaseResult,
    baseline: Baseline | BaselineError,
    against: Sequence[str] | None = None,
    *,
    strict: bool = False,
) -> tuple[Verdict, ...]:
    """The gate's verdict on each metric of a case, with the measured value; an unreadable baseline gives one too.

    Args:
        result: What was measured.
        baseline: What it is held against, or why there is none.
        against: The references for a case that the baseline does not know; None for all.
        strict: Another rendering of the same slices is "not-comparable".
    """
    return tuple(with_value(verdict, result) for verdict in _judged(result, baseline, against, strict=strict))


def _judged(
    result: CaseResult, baseline: Baseline | BaselineError, against: Sequence[str] | None, *, strict: bool
) -> tuple[Verdict, ...]:
    if not isinstance(baseline, BaselineError):
        if result.case in baseline.cases:
            return judge(result, baseline, strict=strict)
        return judge_new(result, baseline, against, strict=strict)
    if result.failure is not None:
        return tuple(Verdict(result.case, metric, result.failure, result.message) for metric in result.metrics)
    if isinstance(baseline, NotComparedError):
        return tuple(_measured(result, metric) for metric in result.metrics)
    return tuple(Verdict(result.case, metric, "missing-baseline", str(baseline)) for metric in result.metrics)


def _measured(result: CaseResult, metric: str) -> Verdict:
    """A number that is compared with nothing; one that is undefined is a failure all the same."""
    if mean_value(result, metric) is None:
        return Verdict(result.case, metric, "error", "not measured, or undefined for some slices")
    return Verdict(result.case, metric, "measured")


def compare(
    info: RunInfo, records: Sequence[CaseRecord], speeds: Mapping[str, Speed], baseline: Baseline | BaselineError
) -> Comparison:
    """Put the records of a run beside its baseline."""
    ordered = sorted(records, key=lambda record: (record.case, record.seed))
    by_case = {case: list(seeds) for case, seeds in groupby(ordered, key=lambda record: record.case)}
    results = {case: result_of(seeds) for case, seeds in by_case.items()}
    rows = [
        _row(
            seeds, results[case], speeds.get(case), verdicts(results[case], baseline, info.against, strict=info.strict)
        )
        for case, seeds in by_case.items()
    ]
    missing = tuple(case for case in info.cases if case not in results)
    found = _standings(results.values(), baseline, info)
    return Comparison(info, tuple(rows), missing, found, _references(baseline, found, measured=set(results)))


def result_of(seeds: list[CaseRecord]) -> CaseResult:
    """The seeds of a case together; a failure of the case where they do not belong together."""
    try:
        return as_results(seeds)[0]
    except RecordError as error:
        first = seeds[0]
        return CaseResult(first.case, first.title, first.conditions, first.metrics, (), 16, "error", str(error))


def _standings(
    results: Iterable[CaseResult], baseline: Baseline | BaselineError, info: RunInfo
) -> tuple[Standing, ...]:
    if isinstance(baseline, BaselineError):
        return ()
    new = [r for r in results if r.case not in baseline.cases and r.failure is None]
    return tuple(
        standing for result in new for standing in standings(result, baseline, info.against, strict=info.strict)
    )


def _references(baseline: Baseline | BaselineError, found: Sequence[Standing], measured: set[str]) -> tuple[Row, ...]:
    """The baseline's rows beside which new cases stand; those that were measured in this run have rows of their own."""
    named = {standing.reference for standing in found} - measured
    if isinstance(baseline, BaselineError):
        return ()
    return tuple(_reference(baseline, name) for name in baseline.cases if name in named)


def _reference(baseline: Baseline, name: str) -> Row:
    """A case of the baseline; of a published one only its gated figures are known."""
    case, result = baseline.cases[name], baseline.result(name)
    gated = {figure.metric: figure.value for figure in case.figures if figure.margin is not None}
    return Row(
        case=name,
        title=case.title,
        status="reference",
        verdicts=(),
        values={metric: gated.get(metric) for metric in METRICS} if result is None else values(result),
        seeds=() if result is None else result.seeds,
        speeds=case.speed,
        peak_memory_mib=case.peak_memory_mib,
        seconds=None,
        source="baseline",
        notes=(),
    )


def values(result: CaseResult) -> dict[str, float | None]:
    """Every metric, the mean over samples and seeds; None where it was not measured or is undefined.

    With several structures also the metrics of each.
    """
    names = dict.fromkeys([*METRICS, *(METRICS.of_table(result.samples) if result.runs else ())])
    return {name: mean_value(result, name) for name in names}


def undefined_notes(result: CaseResult) -> list[str]:
    """Of each metric that some samples have no value of, how many."""
    found = []
    for run in result.runs[:1]:
        for name in METRICS.of_table(run.samples):
            if METRICS[name].level == "sample" and METRICS[name].structure is None:
                count = int(np.count_nonzero(np.isnan(METRICS[name].of(run.samples))))
                if count:
                    found.append(
                        f"{METRICS[name].title}: {count} of {run.samples.n} samples have no value, and are in no mean"
                    )
    return found


def _row(seeds: list[CaseRecord], result: CaseResult, speed: Speed | None, found: tuple[Verdict, ...]) -> Row:
    models = [record.model for record in seeds if record.model]
    return Row(
        case=result.case,
        title=result.title,
        status=worst(found),
        verdicts=found,
        values=values(result),
        seeds=tuple(record.seed for record in seeds),
        speeds={figure: timing.pace for figure, timing in speed.figures.items()} if speed else {},
        peak_memory_mib=max((r.peak_memory_mib for r in seeds if r.peak_memory_mib), default=None),
        seconds=sum(record.seconds for record in seeds),
        source=", ".join(dict.fromkeys(model.source for model in models)) or "–",
        notes=tuple(dict.fromkeys([*(note for model in models for note in model.notes), *undefined_notes(result)])),
    )
