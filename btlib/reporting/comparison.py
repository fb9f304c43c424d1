"""One row a case: verdict, metrics, throughput, seconds, and where the model came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btlib.baselines.gate import HOLDS, Measured, Verdict, judge
from btlib.baselines.schema import Baseline
from btlib.errors import BaselineError
from btlib.runs.record import CaseRecord, RunInfo, Speed

_WORST_FIRST = ("error", "missing-baseline", "not-comparable", "regressed", "inconclusive", "pass", "improved")


@dataclass(frozen=True)
class Row:
    """A case in the comparison.

    Attributes:
        case: Its name.
        title: What it is.
        status: The worst of its verdicts.
        verdicts: One a metric.
        values: Metric → measured value, more metrics than those that are gated.
        speeds: Figure → images/s.
        seconds: Time of the case in this run, training included.
        source: Where its model came from; "–" where there is none.
        notes: What a reader must know.
    """

    case: str
    title: str
    status: str
    verdicts: tuple[Verdict, ...]
    values: Mapping[str, float | None]
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
    """

    info: RunInfo
    rows: tuple[Row, ...]


def verdicts(record: CaseRecord, baseline: Baseline | BaselineError) -> tuple[Verdict, ...]:
    """The gate's word on each metric of a record; an error or an unreadable baseline is one too."""
    if record.outcome == "error" or record.slices is None:
        return tuple(Verdict(record.case, metric, "error", record.error or "") for metric in record.metrics)
    if isinstance(baseline, BaselineError):
        return tuple(Verdict(record.case, metric, "missing-baseline", str(baseline)) for metric in record.metrics)
    measured = Measured(record.case, record.conditions, record.slices)
    return tuple(judge(measured, metric, baseline) for metric in record.metrics)


def compare(
    info: RunInfo, records: Sequence[CaseRecord], speeds: Mapping[str, Speed], baseline: Baseline | BaselineError
) -> Comparison:
    """Put the records of a run beside its baseline."""
    return Comparison(info, tuple(_row(record, speeds.get(record.case), baseline) for record in records))


def worst(found: Sequence[Verdict]) -> str:
    """The status that a reader must see first."""
    return min((v.status for v in found), key=_WORST_FIRST.index)


def holds(status: str) -> bool:
    """Whether a status needs no attention."""
    return status in HOLDS


def _row(record: CaseRecord, speed: Speed | None, baseline: Baseline | BaselineError) -> Row:
    found = verdicts(record, baseline)
    return Row(
        case=record.case,
        title=record.title,
        status=worst(found),
        verdicts=found,
        values=_values(record),
        speeds=dict(speed.images_per_second) if speed else {},
        seconds=record.seconds,
        source=record.model.source if record.model else "–",
        notes=tuple(record.model.notes) if record.model else (),
    )


def _values(record: CaseRecord) -> dict[str, float | None]:
    summary = record.summary or {}
    return {
        "dice": summary.get("dice", {}).get("slice_mean"),
        "iou": summary.get("iou", {}).get("slice_mean"),
        "accuracy": summary.get("accuracy", {}).get("slice_mean"),
        "macro_f1": summary.get("macro_f1"),
    }
