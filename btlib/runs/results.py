"""From the records of a run to results that can be judged and compared."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from btlib.results import CaseResult, Failure, SeedRun
from btlib.runs.folder import RunFolder
from btlib.runs.record import CaseRecord


def as_results(records: Sequence[CaseRecord]) -> list[CaseResult]:
    """One result a case, its seeds together; a case of which any seed failed carries that failure.

    Args:
        records: Of one run, any number of seeds a case.

    Raises:
        RecordError: The seeds of a case were measured on different samples.
    """
    ordered = sorted(records, key=lambda record: (record.case, record.seed))
    return [_result(list(seeds)) for _, seeds in groupby(ordered, key=lambda record: record.case)]


def run_results(folder: RunFolder) -> list[CaseResult]:
    """All that a run was to measure: what has no record, because it broke off or goes on, is a failed case.

    Raises:
        RecordError: It is no run, a record cannot be read, or the seeds of a case were measured on different samples.
    """
    measured = {result.case: result for result in as_results(folder.records())}
    for case, seeds in folder.lost().items() if measured else ():
        if case in measured and measured[case].failure is not None:
            continue
        told = f"no record of seed {', '.join(map(str, seeds))}: the run broke off or goes on"
        some = next(iter(measured.values()))
        nothing = CaseResult(case, case, some.conditions, some.metrics, (), failure="error")
        measured[case] = replace(measured.get(case, nothing), failure="error", message=told)
    return list(measured.values())


def _result(seeds: list[CaseRecord]) -> CaseResult:
    first = seeds[0]
    failure, message = _failure(seeds)
    return CaseResult(
        case=first.case,
        title=first.title,
        conditions=first.conditions,
        metrics=first.metrics,
        runs=tuple(
            SeedRun(seed=r.seed, fingerprint=r.model.fingerprint if r.model else None, samples=r.samples)
            for r in seeds
            if r.samples is not None
        ),
        batch_mean_size=first.batch_mean_size,
        failure=failure,
        message=message,
    )


def _failure(seeds: list[CaseRecord]) -> tuple[Failure | None, str]:
    """The first failure among the seeds; numbers made under differing conditions are one too."""
    prefix = "seed {}: " if len(seeds) > 1 else ""
    for record in seeds:
        if record.outcome != "done":
            return record.outcome, prefix.format(record.seed) + (record.error or "")
        if record.conditions != seeds[0].conditions:
            return "error", f"seeds {seeds[0].seed} and {record.seed} were measured under different conditions"
    return None, ""
