"""Results of a run, made from its records for judging and comparing: one result per case, with pooled folds."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from btlib import fingerprint
from btlib.errors import RecordError
from btlib.results import CaseResult, Conditions, Failure, PatientFacts, SeedRun
from btlib.runs.cell import Cell
from btlib.runs.record import CaseRecord, RunInfo, cells_to_measure
from btlib.runs.store import RunStore
from btlib.sample_table import SampleTable
from btlib.splits import pooled_name


def as_results(records: Sequence[CaseRecord]) -> list[CaseResult]:
    """Return one result per case, with all its seeds. If a cell failed, the result contains this failure.

    The tables of several folds become one table of out-of-fold predictions, which contains each sample once.

    Args:
        records: Records of one run, with any number of seeds and folds per case.

    Raises:
        RecordError: The seeds of a case were measured on different samples or folds, or a sample is in two folds.
    """
    ordered = sorted(records, key=lambda record: (record.case, record.seed, record.fold or ""))
    return [_result(list(cells)) for _, cells in groupby(ordered, key=lambda record: record.case)]


def run_results(store: RunStore) -> list[CaseResult]:
    """Return the results of all planned cases. A case with a missing record counts as failed.

    Raises:
        RecordError: The folder is not a run, a record cannot be read, or the seeds of a case were measured on different
            samples.
    """
    lost = store.lost()
    by_case = groupby(store.records(), key=lambda record: record.case)
    measured = {
        case: result_of(list(cells), lost[case]) if case in lost else as_results(list(cells))[0]
        for case, cells in by_case
    }
    for case, cells in lost.items() if measured else ():
        some = next(iter(measured.values()))
        nothing = CaseResult(case, case, some.conditions, some.metrics, (), failure="error", message=_no_record(cells))
        measured.setdefault(case, nothing)
    return list(measured.values())


def missing_cells(info: RunInfo, records: Sequence[CaseRecord]) -> list[Cell]:
    """Return the cells that these records' cases must have and that have no record among them.

    With stages, a case that stopped because its verdicts were clear misses nothing; another one misses the cells of its
    next stage.
    """
    known, measured = {record.cell for record in records}, {record.case for record in records}
    cases = [case for case in info.cases if case in measured]
    return [cell for case in cases for cell in cells_to_measure(info, case, known.__contains__) if cell not in known]


def _no_record(cells: Sequence[Cell]) -> str:
    return f"no record of {'; '.join(map(str, cells))}: the run was interrupted or is still running"


def result_of(records: Sequence[CaseRecord], missing: Sequence[Cell] = ()) -> CaseResult:
    """Return the result of one case. It is a failure if the records do not fit together or some are missing.

    Args:
        records: Records of the case.
        missing: Cells of the case without a record.
    """
    try:
        result = as_results(records)[0]
    except RecordError as error:
        first, message = records[0], _no_record(missing) if missing else str(error)
        return CaseResult(first.case, first.title, first.conditions, first.metrics, (), 16, "error", message)
    if not missing or result.failure is not None:
        return result
    return replace(result, failure="error", message=_no_record(missing))


def _result(cells: list[CaseRecord]) -> CaseResult:
    first = cells[0]
    failure, message = _failure(cells)
    folds = list(dict.fromkeys(record.fold for record in cells))
    seeds = [list(of_seed) for _, of_seed in groupby(cells, key=lambda record: record.seed)]
    if failure is None and any([record.fold for record in of_seed] != folds for of_seed in seeds):
        raise RecordError(
            "the seeds were measured on different folds", where=f"case {first.case}", hint="measure all in one run"
        )
    return CaseResult(
        case=first.case,
        title=first.title,
        conditions=first.conditions if len(folds) == 1 else _pooled_conditions(seeds[0]),
        metrics=first.metrics,
        runs=tuple(run for of_seed in seeds for run in _runs(of_seed)),
        folds=() if len(folds) == 1 else _folds(seeds[0]),
        batch_mean_size=first.batch_mean_size,
        failure=failure,
        message=message,
    )


def _runs(of_seed: Sequence[CaseRecord]) -> list[SeedRun]:
    """Return the pooled numbers of one seed; an empty list if a fold has no numbers."""
    tables = [record.samples for record in of_seed if record.samples is not None]
    if len(tables) < len(of_seed):
        return []
    models = [record.model for record in of_seed]
    return [
        SeedRun(
            seed=of_seed[0].seed,
            fingerprint=_joined([model.fingerprint if model else None for model in models]),
            file_digest=_joined([model.file_digest if model else None for model in models]),
            samples=_pooled(of_seed[0].case, tables),
        )
    ]


def _joined(identities: Sequence[str | None]) -> str | None:
    """Return the identity of the models of all folds; None if one of them has none."""
    if len(identities) == 1:
        return identities[0]
    return None if None in identities else fingerprint.of(list(identities))


def _folds(of_seed: Sequence[CaseRecord]) -> tuple[str, ...]:
    """Return the fold of each sample, in the order of the pooled table."""
    return tuple(record.fold or "" for record in of_seed if record.samples for _ in record.samples.id)


def _pooled(case: str, tables: Sequence[SampleTable]) -> SampleTable:
    if len(tables) == 1:
        return tables[0]
    try:
        return SampleTable.together(tables)
    except ValueError as error:
        raise RecordError(
            f"the folds cannot be pooled: {error}", where=f"case {case}", hint="measure all folds in one run"
        ) from error


def _pooled_conditions(folds: Sequence[CaseRecord]) -> Conditions:
    """Return the conditions of the pooled numbers of several folds."""
    every = [record.conditions for record in folds]
    counts = [c.test_class_counts for c in every]
    return every[0].model_copy(
        update={
            "split_name": pooled_name([c.split_name for c in every]),
            "split_fingerprint": fingerprint.of([c.split_fingerprint for c in every]),
            "n_test": sum(c.n_test for c in every),
            "test_class_counts": [sum(row) for row in zip(*(c for c in counts if c), strict=True)],
            "patients": _pooled_patients(folds),
        }
    )


def _pooled_patients(folds: Sequence[CaseRecord]) -> PatientFacts | None:
    """Return the patient facts of all test samples. A patient with samples in several folds counts once."""
    known = [record.conditions.patients for record in folds]
    if any(facts is None for facts in known):
        return None
    facts = [one for one in known if one is not None]
    tables = [record.samples for record in folds if record.samples is not None]
    patients = {patient for table in tables for patient in table.patient}
    n_test = len(patients) if len(tables) == len(folds) else sum(one.n_test for one in facts)
    return PatientFacts(source=facts[0].source, n_test=n_test, seen=sum(one.seen for one in facts))


def _failure(cells: list[CaseRecord]) -> tuple[Failure | None, str]:
    """Return the first failure among the cells. Different conditions of the cells count as a failure."""
    by_fold: dict[str | None, CaseRecord] = {}
    for record in cells:
        named = str(record.cell).removeprefix(f"{record.case}, ")
        if record.outcome != "done":
            return record.outcome, (f"{named}: " if len(cells) > 1 else "") + (record.error or "")
        first = by_fold.setdefault(record.fold, record)
        if record.conditions != first.conditions:
            other = str(first.cell).removeprefix(f"{record.case}, ")
            return "error", f"{other} and {named} were measured under different conditions"
        if not _same_data(record.conditions, cells[0].conditions):
            return "error", f"{named} was measured on different data than {cells[0].fold}"
    return None, ""


def _same_data(one: Conditions, other: Conditions) -> bool:
    """Whether two folds belong to the same data and were measured under the same conditions."""
    of_a_fold = {"split_name", "split_fingerprint", "n_test", "test_class_counts", "patients"}
    return one.model_dump(exclude=of_a_fold) == other.model_dump(exclude=of_a_fold)
