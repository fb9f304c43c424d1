"""From the records of a run to a baseline: the only way a measured baseline is made."""

from datetime import UTC, datetime
from pathlib import Path

from btlib.baselines.schema import SCHEMA, Baseline, BaselineCase, BaselineRun, Figure
from btlib.errors import RecordError
from btlib.evaluation.aggregate import gated_value, per_slice
from btlib.protocol import Protocol
from btlib.runs.folder import RunFolder
from btlib.runs.record import CaseRecord


def as_baseline(folder: Path, name: str, reason: str, margin: float) -> Baseline:
    """The cases of a run as a baseline, with their per-slice numbers.

    Args:
        folder: Of the run.
        name: Of the baseline.
        reason: Why these numbers are the baseline.
        margin: The loss that the gate will tolerate, for Dice and accuracy alike, between 0 and 1.

    Raises:
        RecordError: It is no run, has no records, a case failed, or its cases were made under different conditions.
    """
    run = RunFolder(folder)
    info, records = run.info(), run.records()
    if not records:
        raise RecordError("has no records", where=folder, mend="run `pytest benchmarks` to its end")
    for record in records:
        if record.outcome == "error":
            raise RecordError(
                f"case {record.case} failed: {record.error}",
                where=folder,
                mend="a baseline is made of cases that worked: mend it and run again",
            )
        if record.conditions != records[0].conditions:
            raise RecordError(
                f"case {record.case} was made under other conditions than case {records[0].case}",
                where=folder,
                mend="run all cases anew in one run",
            )
    return Baseline(
        schema=SCHEMA,
        name=name,
        kind="measured",
        title=f"{info.tier}: {info.data}",
        source=info.command,
        created=f"{datetime.now(UTC):%Y-%m-%d}",
        reason=reason,
        conditions=records[0].conditions,
        cases={record.case: _case(record, margin) for record in records},
    )


def _case(record: CaseRecord, margin: float) -> BaselineCase:
    assert record.slices is not None  # a record that is done has its slices
    packages = ", ".join(f"{k} {v}" for k, v in sorted(record.environment.items()) if k != "cpus")
    figures = []
    for metric in record.metrics:
        values = per_slice(record.slices, metric)
        figures.append(
            Figure(
                metric=metric,
                value=round(gated_value(record.slices, metric, "slice-mean", Protocol.batch_mean_size), 6),
                aggregation="slice-mean",
                n=record.slices.n,
                std=round(float(values.std(ddof=1)), 6) if len(values) > 1 else None,
                margin=margin,
                source=packages,
            )
        )
    fingerprint = record.model.fingerprint if record.model else None
    run = BaselineRun(seed=record.seed, fingerprint=fingerprint, slices=record.slices)
    return BaselineCase(title=record.title, figures=figures, runs=[run])
