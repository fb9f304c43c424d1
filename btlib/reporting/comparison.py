"""One row a case: verdict, metrics, throughput, seconds, and where the model came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from btlib.baselines import HOLDS, Baseline, Verdict, judge
from btlib.baselines.verdict import worst
from btlib.errors import BaselineError, RecordError
from btlib.evaluation.catalogue import METRICS
from btlib.results import CaseResult
from btlib.runs.record import CaseRecord, RunInfo, Speed
from btlib.runs.results import as_results


@dataclass(frozen=True)
class Row:
    """A case in the comparison.

    Attributes:
        case: Its name.
        title: What it is.
        status: The worst of its verdicts.
        verdicts: One a metric.
        values: Metric of the catalogue → measured value, the mean over seeds; None where it has none.
        seeds: The seeds it was measured with.
        speeds: Figure → images/s.
        seconds: Time of the case in this run, training included, all seeds together.
        source: Where its models came from; "–" where there are none.
        notes: What a reader must know.
    """

    case: str
    title: str
    status: str
    verdicts: tuple[Verdict, ...]
    values: Mapping[str, float | None]
    seeds: tuple[int, ...]
    speeds: Mapping[str, float]
    seconds: float
    source: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All cases of one run against one baseline.

    Attributes:
        info: The run.
        rows: One a case.
        missing: Cases that were to be measured and have no record.
    """

    info: RunInfo
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()


def verdicts(result: CaseResult, baseline: Baseline | BaselineError) -> tuple[Verdict, ...]:
    """The gate's word on each metric of a case; an unreadable baseline is one too."""
    if not isinstance(baseline, BaselineError):
        return judge(result, baseline)
    if result.failure is not None:
        return tuple(Verdict(result.case, metric, result.failure, result.message) for metric in result.metrics)
    return tuple(Verdict(result.case, metric, "missing-baseline", str(baseline)) for metric in result.metrics)


def compare(
    info: RunInfo, records: Sequence[CaseRecord], speeds: Mapping[str, Speed], baseline: Baseline | BaselineError
) -> Comparison:
    """Put the records of a run beside its baseline."""
    ordered = sorted(records, key=lambda record: (record.case, record.seed))
    rows = [
        _row(list(seeds), speeds.get(case), baseline)
        for case, seeds in groupby(ordered, key=lambda record: record.case)
    ]
    measured = {row.case for row in rows}
    return Comparison(info, tuple(rows), tuple(case for case in info.cases if case not in measured))


def holds(status: str) -> bool:
    """Whether a status needs no attention."""
    return status in HOLDS


def values(result: CaseResult) -> dict[str, float | None]:
    """Every metric of the catalogue, the mean over slices and seeds; None where it was not measured or is undefined."""
    return {name: _value(result, name) for name in METRICS}


def _value(result: CaseResult, name: str) -> float | None:
    metric = METRICS[name]
    if not result.runs or not all(metric.available(run.slices) for run in result.runs):
        return None
    value = float(np.mean([np.mean(metric.of(run.slices)) for run in result.runs]))
    return value if np.isfinite(value) else None


def _row(seeds: list[CaseRecord], speed: Speed | None, baseline: Baseline | BaselineError) -> Row:
    first = seeds[0]
    try:
        result = as_results(seeds)[0]
    except RecordError as error:
        result = CaseResult(first.case, first.title, first.conditions, first.metrics, (), 16, "error", str(error))
    found = verdicts(result, baseline)
    models = [record.model for record in seeds if record.model]
    return Row(
        case=first.case,
        title=first.title,
        status=worst(found),
        verdicts=found,
        values=values(result),
        seeds=tuple(record.seed for record in seeds),
        speeds=dict(speed.images_per_second) if speed else {},
        seconds=sum(record.seconds for record in seeds),
        source=", ".join(dict.fromkeys(model.source for model in models)) or "–",
        notes=tuple(dict.fromkeys(note for model in models for note in model.notes)),
    )
