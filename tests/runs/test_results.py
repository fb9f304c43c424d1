"""From records to results: seeds by number, the first failure, and what a run has not measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.results import Conditions
from btlib.runs import CaseRecord, ModelInfo, RunFolder, RunInfo
from btlib.runs.results import as_results, run_results
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
        f"seeds 9 and {seed} were measured under different conditions",
    )


def test_seeds_of_different_slices_are_no_result(record: Make, make_table: Callable[..., SampleTable]):
    """As many of them, but others."""
    other = make_table()
    other = SampleTable(**other.model_dump() | {"id": [*other.id[:-1], "999"]})
    with pytest.raises(RecordError, match="seeds 9 and 10 were measured on different samples"):
        as_results([record(), record(seed=10, samples=other)])


def run_of(path: Path, records: list[CaseRecord], cases: list[str], seeds: list[int]) -> RunFolder:
    run = RunFolder(path)
    about = {"baseline": "b", "task": PHANTOM, "data": "d", "started": "now", "cases": cases, "seeds": seeds}
    run.save_info(RunInfo(tier="smoke", command="pytest", **about))
    for one in records:
        run.save_record(one)
    return run


def test_what_has_no_record_is_named_by_case_and_seed(record: Make, tmp_path: Path):
    run = run_of(tmp_path, [record("X", 9), record("Y", 9), record("Y", 10)], ["Z", "X", "Y"], [10, 9])
    assert run.lost() == {"Z": [10, 9], "X": [10]}
    found = {result.case: result for result in run_results(run)}
    assert list(found) == ["X", "Y", "Z"]
    assert (found["X"].failure, found["X"].message, found["X"].seeds) == (
        "error",
        "no record of seed 10: the run broke off or goes on",
        (9,),
    )
    assert (found["Y"].failure, found["Y"].seeds) == (None, (9, 10))
    assert (found["Z"].failure, found["Z"].message, found["Z"].runs) == (
        "error",
        "no record of seed 10, 9: the run broke off or goes on",
        (),
    )
    assert (found["Z"].title, found["Z"].conditions) == ("Z", found["X"].conditions)


def test_a_failure_that_is_known_is_told_before_a_missing_record(record: Make, tmp_path: Path):
    run = run_of(tmp_path, [record("X", 9, **FAILED), record("Y", 9)], ["X", "Y"], [9, 10])
    assert [(result.failure, result.message) for result in run_results(run)] == [
        ("timeout", "too slow"),
        ("error", "no record of seed 10: the run broke off or goes on"),
    ]


def test_a_whole_run_has_lost_nothing_and_one_without_records_has_no_results(record: Make, tmp_path: Path):
    whole = run_of(tmp_path / "a", [record("X", 9)], ["X"], [9])
    assert whole.lost() == {}
    assert [result.failure for result in run_results(whole)] == [None]
    assert run_results(run_of(tmp_path / "b", [], ["X"], [9])) == []
