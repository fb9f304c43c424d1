"""From records to results: seeds by number, folds pooled, the first failure, and what a run has not measured."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from btlib import fingerprint
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.results import Conditions, PatientFacts
from btlib.runs import CaseRecord, ModelInfo, RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.runs.results import as_results, missing_cells, result_of, run_results
from btlib.sample_table import SampleTable

Make = Callable[..., CaseRecord]
FAILED = {"outcome": "timeout", "error": "too slow", "samples": None}


@pytest.fixture
def record(make_table: Callable[..., SampleTable], conditions: Conditions) -> Make:
    def make(case: str = "X", seed: int = 9, **fields: Any) -> CaseRecord:
        usual: dict[str, Any] = {
            "title": f"{case} of seed {seed}",
            "tier": "smoke",
            "metrics": {"dice": seed},
            "outcome": "done",
            "conditions": conditions,
            "samples": make_table(seed=seed),
            "batch_mean_size": seed,
            "seconds": 1.0,
            "model": ModelInfo(source="trained", fingerprint=f"m{seed}", seconds=0.0, details={}, notes=[]),
            "environment": {},
            "created": "now",
        }
        return CaseRecord(case=case, seed=seed, **usual | fields)

    return make


def test_seeds_are_in_the_order_of_their_numbers_and_the_first_speaks_for_all(record: Make):
    records = [record("Y", 3), record("X", 10), record("X", 100), record("X", 9)]
    first, second = as_results(records)
    assert [first.case, second.case] == ["X", "Y"]
    assert [(run.seed, run.fingerprint) for run in first.runs] == [(9, "m9"), (10, "m10"), (100, "m100")]
    assert [run.samples for run in first.runs] == [records[3].samples, records[1].samples, records[2].samples]
    assert (first.title, first.metrics, first.batch_mean_size) == ("X of seed 9", {"dice": 9}, 9)
    assert (first.failure, first.message) == (None, "")
    assert as_results([record(model=None)])[0].runs[0].fingerprint is None


@pytest.mark.parametrize(
    ("failed", "failure", "message"),
    [
        ({9: FAILED}, "timeout", "seed 9: too slow"),
        ({10: FAILED}, "timeout", "seed 10: too slow"),
        ({10: FAILED, 9: FAILED | {"outcome": "out-of-memory", "error": None}}, "out-of-memory", "seed 9: "),
    ],
)
def test_the_first_failed_seed_fails_its_case(
    record: Make, failed: dict[int, dict[str, Any]], failure: str, message: str
):
    result = as_results([record(seed=seed, **failed.get(seed, {})) for seed in (100, 10, 9)])[0]
    assert (result.failure, result.message) == (failure, message)
    assert result.seeds == tuple(seed for seed in (9, 10, 100) if seed not in failed)


def test_a_single_seed_is_not_named(record: Make):
    assert as_results([record(seed=10, **FAILED), record()])[0].message == "seed 10: too slow"
    result = as_results([record(**FAILED)])[0]
    assert (result.failure, result.message, result.runs) == ("timeout", "too slow", ())


@pytest.mark.parametrize("seed", [10, 100])
def test_any_seed_of_other_conditions_is_a_failure(record: Make, conditions: Conditions, seed: int):
    other = conditions.model_copy(update={"threshold": 0.5})
    records = [record(seed=s, conditions=other if s == seed else conditions) for s in (9, 10, 100)]
    result = as_results(records)[0]
    assert (result.failure, result.message) == (
        "error",
        f"seed 9 and seed {seed} were measured under different conditions",
    )


def test_seeds_of_different_slices_are_no_result(record: Make, make_table: Callable[..., SampleTable]):
    """As many of them, but others."""
    other = make_table()
    other = SampleTable(**other.model_dump() | {"id": [*other.id[:-1], "999"]})
    with pytest.raises(RecordError, match="seeds 9 and 10 were measured on different samples"):
        as_results([record(), record(seed=10, samples=other)])


def run_of(
    path: Path, records: list[CaseRecord], cases: list[str], seeds: list[int], folds: Sequence[str] = ()
) -> RunStore:
    run = RunStore(path)
    about: dict[str, Any] = {
        "baseline": "b",
        "task": PHANTOM,
        "data": "d",
        "started": "now",
        "cases": cases,
        "seeds": seeds,
    }
    about["folds"] = list(folds)
    run.save_info(RunInfo(tier="smoke", command="pytest", **about))
    for one in records:
        run.save_record(one)
    return run


def test_what_has_no_record_is_named_by_case_and_seed(record: Make, tmp_path: Path):
    run = run_of(tmp_path, [record("X", 9), record("Y", 9), record("Y", 10)], ["Z", "X", "Y"], [10, 9])
    assert run.lost() == {"Z": [Cell("Z", 10), Cell("Z", 9)], "X": [Cell("X", 10)]}
    found = {result.case: result for result in run_results(run)}
    assert list(found) == ["X", "Y", "Z"]
    assert (found["X"].failure, found["X"].message, found["X"].seeds) == (
        "error",
        "no record of X, seed 10: the run was interrupted or is still running",
        (9,),
    )
    assert (found["Y"].failure, found["Y"].seeds) == (None, (9, 10))
    assert (found["Z"].failure, found["Z"].message, found["Z"].runs) == (
        "error",
        "no record of Z, seed 10; Z, seed 9: the run was interrupted or is still running",
        (),
    )
    assert (found["Z"].title, found["Z"].conditions) == ("Z", found["X"].conditions)


def test_a_failure_that_is_known_is_told_before_a_missing_record(record: Make, tmp_path: Path):
    run = run_of(tmp_path, [record("X", 9, **FAILED), record("Y", 9)], ["X", "Y"], [9, 10])
    assert [(result.failure, result.message) for result in run_results(run)] == [
        ("timeout", "too slow"),
        ("error", "no record of Y, seed 10: the run was interrupted or is still running"),
    ]


def test_a_whole_run_has_lost_nothing_and_one_without_records_has_no_results(record: Make, tmp_path: Path):
    whole = run_of(tmp_path / "a", [record("X", 9)], ["X"], [9])
    assert whole.lost() == {}
    assert [result.failure for result in run_results(whole)] == [None]
    assert run_results(run_of(tmp_path / "b", [], ["X"], [9])) == []


FOLDS = ("cvind-1", "cvind-2", "cvind-3")
PARTS = {"cvind-1": range(20), "cvind-2": range(20, 50), "cvind-3": range(50, 60)}
"""Unlike in size."""


@pytest.fixture
def fold_of(record: Make, make_table: Callable[..., SampleTable], conditions: Conditions) -> Make:
    """The record of a fold of sixty samples, of which every two are of one patient."""

    def make(fold: str, seed: int = 9, case: str = "X", **fields: Any) -> CaseRecord:
        whole = make_table(seed=seed, patients=[f"P{i // 2}" for i in range(60)])
        samples = fields.pop("samples", rows(whole, list(PARTS[fold])))
        part = fields.pop("part", PARTS[fold])
        of_fold: dict[str, Any] = {
            "split_name": fold,
            "split_fingerprint": f"fingerprint of {fold}",
            "n_test": len(part),
            "test_class_counts": [sum(i % 3 == k for i in part) for k in range(3)],
            "patients": PatientFacts(source="files", n_test=len(part) // 2, seen=FOLDS.index(fold)),
        }
        made = conditions.model_copy(update=of_fold | fields.pop("of_fold", {}))
        model = ModelInfo(source="trained", fingerprint=f"{fold} {seed}", seconds=0.0, details={}, notes=[])
        return record(case, seed, **{"fold": fold, "conditions": made, "samples": samples, "model": model} | fields)

    return make


def rows(table: SampleTable, at: Sequence[int]) -> SampleTable:
    def of(column: Any) -> Any:
        return None if column is None else [column[i] for i in at]

    fields = {name: of(getattr(table, name)) for name in ("id", "label", "patient", "volume")}
    columns = {name: of(column) for name, column in table.columns.items()}
    return SampleTable(**fields, classes=table.classes, structures=table.structures, columns=columns)


def test_folds_are_pooled_into_one_table_of_all_samples(fold_of: Make, make_table: Callable[..., SampleTable]):
    patients = [f"P{i // 2}" for i in range(60)]
    (result,) = as_results([fold_of(fold, seed) for fold in reversed(FOLDS) for seed in (10, 9)])
    assert (result.failure, result.message, result.seeds) == (None, "", (9, 10))
    assert [run.samples for run in result.runs] == [make_table(seed=seed, patients=patients) for seed in (9, 10)]
    assert result.runs[0].fingerprint == fingerprint.of(["cvind-1 9", "cvind-2 9", "cvind-3 9"])
    assert result.runs[1].fingerprint != result.runs[0].fingerprint


def test_models_of_folds_have_an_identity_together_where_all_have_one(fold_of: Make):
    records = [fold_of(fold, **({"model": None} if fold == "cvind-2" else {})) for fold in FOLDS]
    assert as_results(records)[0].runs[0].fingerprint is None


def test_conditions_of_folds_are_pooled(fold_of: Make, conditions: Conditions):
    found = as_results([fold_of(fold, seed) for seed in (9, 10) for fold in FOLDS])[0].conditions
    assert (found.split_name, found.n_test, found.test_class_counts) == ("cvind-1+2+3", 60, [20, 20, 20])
    assert found.split_fingerprint == fingerprint.of([f"fingerprint of {fold}" for fold in FOLDS])
    assert found.patients == PatientFacts(source="files", n_test=30, seen=0 + 1 + 2)
    of_folds = {"split_name", "split_fingerprint", "n_test", "test_class_counts", "patients"}
    assert found.model_dump(exclude=of_folds) == conditions.model_dump(exclude=of_folds)
    less = as_results([fold_of(fold) for fold in FOLDS[:2]])[0].conditions
    assert (less.split_name, less.n_test, less.test_class_counts) == ("cvind-1+2", 50, [17, 17, 16])
    assert less.split_fingerprint != found.split_fingerprint


def test_a_patient_in_several_folds_counts_once(fold_of: Make, make_table: Callable[..., SampleTable]):
    """As with folds of samples: then patients of test samples are in training too."""
    whole = make_table(patients=[f"P{i % 7}" for i in range(60)])
    records = [fold_of(fold, samples=rows(whole, PARTS[fold])) for fold in FOLDS]
    assert as_results(records)[0].conditions.patients == PatientFacts(source="files", n_test=7, seen=3)


def test_patients_are_unknown_where_those_of_a_fold_are(fold_of: Make):
    records = [fold_of(fold, of_fold={"patients": None} if fold == "cvind-2" else {}) for fold in FOLDS]
    assert as_results(records)[0].conditions.patients is None


def test_one_fold_alone_is_measured_as_it_says(fold_of: Make):
    """Its record can be compared with a run that has this split alone."""
    record = fold_of("cvind-2")
    (result,) = as_results([record])
    assert (result.conditions, result.runs[0].samples) == (record.conditions, record.samples)
    assert result.runs[0].fingerprint == "cvind-2 9"


def test_a_sample_in_two_folds_is_refused(fold_of: Make, make_table: Callable[..., SampleTable]):
    twice = rows(make_table(), [19, *range(21, 50)])
    records = [fold_of("cvind-1"), fold_of("cvind-2", samples=twice), fold_of("cvind-3")]
    with pytest.raises(RecordError, match="the folds cannot be pooled: sample 20 is in 2 of the tables") as caught:
        as_results(records)
    assert caught.value.where == "case X"
    found = result_of(records)
    assert (found.failure, found.runs) == ("error", ())
    assert "cannot be pooled" in found.message


def test_folds_of_other_columns_are_refused(fold_of: Make, make_table: Callable[..., SampleTable]):
    blind = rows(make_table(mask=False), PARTS["cvind-2"])
    with pytest.raises(RecordError, match="the folds cannot be pooled: the tables have different columns"):
        as_results([fold_of("cvind-1"), fold_of("cvind-2", samples=blind), fold_of("cvind-3")])


def test_seeds_with_different_folds_are_refused(fold_of: Make):
    for other in (FOLDS[:2], (*FOLDS[:2], "cvind-3")[1:]):
        records = [*(fold_of(fold, 9) for fold in FOLDS), *(fold_of(fold, 10) for fold in other)]
        with pytest.raises(RecordError, match="the seeds were measured on different folds"):
            as_results(records)


@pytest.mark.parametrize("failed", FOLDS)
def test_a_failed_fold_fails_its_case(fold_of: Make, failed: str):
    result = as_results([fold_of(fold, **(FAILED if fold == failed else {})) for fold in FOLDS])[0]
    assert (result.failure, result.message) == ("timeout", f"{failed}, seed 9: too slow")
    assert result.runs == (), "some folds are no result of their seed"
    two = [
        fold_of(fold, seed, **(FAILED if (fold, seed) == (failed, 10) else {})) for fold in FOLDS for seed in (9, 10)
    ]
    both = as_results(two)[0]
    assert (both.failure, both.message, both.seeds) == ("timeout", f"{failed}, seed 10: too slow", (9,))


def test_folds_of_other_data_are_no_result(fold_of: Make):
    records = [fold_of(fold, of_fold={"truth_fingerprint": "t2"} if fold == "cvind-2" else {}) for fold in FOLDS]
    result = as_results(records)[0]
    assert (result.failure, result.message) == ("error", "cvind-2, seed 9 was measured on different data than cvind-1")
    cut = [fold_of("cvind-1"), fold_of("cvind-2", of_fold={"threshold": 0.5})]
    assert as_results(cut)[0].message == "cvind-2, seed 9 was measured on different data than cvind-1"


def test_seeds_of_a_fold_under_other_conditions_are_no_result(fold_of: Make):
    """Such as another cut of the fold."""
    records = [fold_of(fold, seed) for seed in (9, 10) for fold in FOLDS[:2]]
    other = records[3].conditions.model_copy(update={"split_fingerprint": "another"})
    records[3] = records[3].model_copy(update={"conditions": other})
    result = as_results(records)[0]
    assert (result.failure, result.message) == (
        "error",
        "cvind-2, seed 9 and cvind-2, seed 10 were measured under different conditions",
    )


def test_a_missing_fold_is_a_failure(fold_of: Make, tmp_path: Path):
    records = [fold_of("cvind-1"), fold_of("cvind-3"), *(fold_of(fold, case="Y") for fold in FOLDS)]
    run = run_of(tmp_path, records, ["X", "Y", "Z"], [9], FOLDS)
    assert run.lost() == {"X": [Cell("X", 9, "cvind-2")], "Z": [Cell("Z", 9, fold) for fold in FOLDS]}
    found = {result.case: result for result in run_results(run)}
    told = "no record of X, cvind-2, seed 9: the run was interrupted or is still running"
    assert (found["X"].failure, found["X"].message) == ("error", told)
    assert (found["Y"].failure, found["Y"].runs[0].samples.n) == (None, 60)
    assert found["Z"].failure == "error"


def test_a_run_that_broke_off_among_folds_says_what_is_missing(fold_of: Make, tmp_path: Path):
    """Its second seed has fewer folds than its first, and the cases that are whole have results all the same."""
    records = [*(fold_of(fold) for fold in FOLDS), fold_of("cvind-1", 10)]
    whole = [fold_of(fold, seed, case="Y") for fold in FOLDS for seed in (9, 10)]
    run = run_of(tmp_path, [*whole, *records], ["Y", "X"], [9, 10], FOLDS)
    missing = missing_cells(run.info(), run.records())
    assert missing == [Cell("X", 10, "cvind-2"), Cell("X", 10, "cvind-3")]
    found = {result.case: result for result in run_results(run)}
    told = "no record of X, cvind-2, seed 10; X, cvind-3, seed 10: the run was interrupted or is still running"
    assert (found["X"].failure, found["X"].message) == ("error", told)
    assert (found["Y"].failure, found["Y"].seeds) == (None, (9, 10))
    assert result_of(records, missing).message == told


def test_a_known_failure_is_told_before_a_missing_fold(fold_of: Make, tmp_path: Path):
    records = [fold_of("cvind-1"), fold_of("cvind-2", 10, **FAILED)]
    run = run_of(tmp_path, records, ["X"], [9, 10], FOLDS)
    assert [(result.failure, result.message) for result in run_results(run)] == [
        ("timeout", "cvind-2, seed 10: too slow")
    ]


def test_only_cases_with_records_miss_cells(fold_of: Make, tmp_path: Path):
    run = run_of(tmp_path, [fold_of("cvind-1")], ["X", "Z"], [9], FOLDS[:2])
    assert missing_cells(run.info(), run.records()) == [Cell("X", 9, "cvind-2")]
    assert missing_cells(run.info(), []) == []


def staged_run(folder: Path, records: Sequence[CaseRecord], cases: list[str], folds: Sequence[str] = ()) -> RunStore:
    """A run of up to four seeds in stages of 1, 3 and 4."""
    run = run_of(folder, records, cases, [9, 10, 11, 12], folds)
    run.save_info(run.info().model_copy(update={"stages": [1, 3, 4]}))
    return run


@pytest.mark.parametrize(
    ("measured", "stopped", "lost"),
    [
        ([], None, [9]),
        ([9], None, [10, 11]),
        ([9], 1, []),
        ([9, 10], None, [11]),
        ([9, 11], None, [10]),
        ([10], None, [9]),
        ([9, 10], 3, [11]),
        ([9, 10, 11], None, [12]),
        ([9, 10, 11], 3, []),
        ([9, 10, 11, 12], None, []),
    ],
)
def test_a_case_needs_the_seeds_up_to_its_stop_or_to_its_next_stage(
    record: Make, tmp_path: Path, measured: list[int], stopped: int | None, lost: list[int]
):
    run = staged_run(tmp_path, [*(record("X", seed) for seed in measured), record("Y", 9)], ["X", "Y"])
    run.save_stop("X", stopped)
    run.save_stop("Y", 1)
    cells = [Cell("X", seed) for seed in lost]
    assert run.lost() == ({"X": cells} if cells else {})
    assert missing_cells(run.info(), run.records_of("X")) == (cells if measured else [])
    found = {result.case: result for result in run_results(run)}
    assert (found["X"].failure, found["Y"].failure) == ("error" if lost else None, None)
    assert len(run.records_of("X")) == len(measured)


def test_all_folds_of_a_stage_are_needed(fold_of: Make, tmp_path: Path):
    run = staged_run(tmp_path, [fold_of("cvind-1"), fold_of("cvind-2")], ["X"], FOLDS)
    for stopped in (None, 1):
        run.save_stop("X", stopped)
        assert run.lost() == {"X": [Cell("X", 9, "cvind-3")]}
    run.save_record(fold_of("cvind-3"))
    assert run.lost() == {}
    run.save_stop("X", None)
    assert run.lost() == {"X": [Cell("X", seed, fold) for seed in (10, 11) for fold in FOLDS]}
