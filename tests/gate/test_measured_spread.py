"""The spread between trainings that a run with several seeds measures for a baseline."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, stats
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BaselineError
from btlib.evaluation import summarise
from btlib.evaluation.aggregate import per_sample
from btlib.gate.acceptance import STAGED, propose
from btlib.gate.measured import rounded
from btlib.gate.measured_spread import with_spreads
from btlib.gate.rule import judge_metric
from btlib.results import CaseResult, Conditions
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Folder = Callable[..., Path]

WRONG = (3, 9, 6, 0)


@pytest.fixture
def run_of(tmp_path: Path, make_table: Table, conditions: Conditions) -> Folder:
    """The folder of a run of one case with one seed for each number of wrong classes."""

    def make(*wrong: int, case: str = "X", under: Conditions = conditions, **info: Any) -> Path:
        store = RunStore(tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        seeds = list(range(1, len(wrong) + 1))
        usual: dict[str, Any] = {"tier": "smoke", "command": "pytest --bt-seeds 4", "baseline": "b", "data": "d"}
        store.save_info(RunInfo(**usual | {"task": PHANTOM, "started": "now", "cases": [case], "seeds": seeds} | info))
        for seed, k in zip(seeds, wrong, strict=True):
            table = make_table(wrong=k, worse=0.01 * seed)
            store.save_record(
                CaseRecord(
                    **{"case": case, "title": "a case", "tier": "smoke", "seed": seed, "outcome": "done"},
                    **{"metrics": {"dice": 1, "accuracy": 1}, "conditions": under, "samples": table},
                    **{"summary": summarise(table), "seconds": 1.0, "environment": {}, "created": "now"},
                )
            )
        return store.path

    return make


def test_what_the_gate_uses_afterwards(
    run_of: Folder, make_table: Table, measured_baseline: Make, measured: Callable[..., CaseResult]
) -> None:
    before = measured_baseline(spread=None)
    after = with_spreads(before, run_of(*WRONG))
    tables = [make_table(wrong=k, worse=0.01 * seed) for seed, k in enumerate(WRONG, 1)]
    groups = measured(*tables).groups
    for metric in ("dice", "accuracy"):
        values = np.stack([per_sample(table, metric) for table in tables])
        found = after.cases["X"].spread[metric]
        assert found.sd == pytest.approx(float(values.mean(axis=1).std(ddof=1)), abs=1e-6)
        assert found.interaction == pytest.approx(math.sqrt(stats.interaction(values, groups)), abs=1e-6)
        assert (found.trainings, found.source) == (4, "pytest --bt-seeds 4")
    assert after.cases["X"].figures == before.cases["X"].figures
    assert after.cases["X"].runs == before.cases["X"].runs
    one = measured(make_table(wrong=9))
    assumed, known = (judge_metric(one, "accuracy", baseline) for baseline in (before, after))
    assert "not known" in assumed.reason
    assert known.reason == ""
    assert known.spread == pytest.approx((after.cases["X"].spread["accuracy"].sd,))


def test_it_is_read_back_equal(run_of: Folder, measured_baseline: Make, tmp_path: Path) -> None:
    after = with_spreads(measured_baseline(spread=None), run_of(*WRONG))
    after.save(tmp_path / "made.json")
    assert Baseline.load(tmp_path / "made.json") == after


def test_what_is_no_training_of_the_case_is_refused(
    run_of: Folder, measured_baseline: Make, published_baseline: Make, conditions: Conditions
) -> None:
    baseline = measured_baseline(spread=None)
    for folder, message in {
        run_of(3, 9): "expected at least 3 seeds, got 2",
        run_of(*WRONG, case="Z"): "has no case Z",
        run_of(*WRONG, under=conditions.model_copy(update={"threshold": 0.5})): "threshold: measured 0.5, baseline",
        run_of(*WRONG, recipe={"epochs": 3}): "recipe, epochs: 3, baseline None",
    }.items():
        with pytest.raises(BaselineError, match=message):
            with_spreads(baseline, folder)
    with pytest.raises(BaselineError, match="published numbers"):
        with_spreads(published_baseline(), run_of(*WRONG))


def test_a_run_in_stages_is_biased(run_of: Folder, measured_baseline: Make) -> None:
    """It stopped because its verdicts were clear."""
    folder = run_of(3, 9, 6, seeds=[1, 2, 3, 4, 5], stages=[1, 3, 5])
    RunStore(folder).save_stop("X", 3)
    with pytest.raises(BaselineError, match="seeds were added until the verdicts were clear"):
        with_spreads(measured_baseline(spread=None), folder)
    assert STAGED in propose(folder, "mine", "why").refusals
    assert STAGED not in propose(run_of(3, 9, 6), "mine", "why").refusals


def test_seeds_with_the_same_numbers_are_refused(run_of: Folder, measured_baseline: Make) -> None:
    """A case that ignores its seed does not show that trainings never differ."""
    folder = run_of(3, 3, 3)
    for record in (records := RunStore(folder).records()):
        RunStore(folder).save_record(record.model_copy(update={"samples": records[0].samples}))
    with pytest.raises(BaselineError, match="all seeds have the same numbers"):
        with_spreads(measured_baseline(spread=None), folder)


@pytest.mark.parametrize(
    ("value", "stored"),
    [(0.0, 0.0), (-0.7774123456, -0.777412), (12.34567891, 12.345679), (1.9371234e-5, 1.9371e-5), (4.2e-7, 4.2e-7)],
)
def test_small_values_of_a_baseline_keep_their_digits(value: float, stored: float) -> None:
    assert rounded(value) == stored


def test_seeds_with_the_numbers_of_another_do_not_count(run_of: Folder, measured_baseline: Make) -> None:
    folder = run_of(3, 9, 6)
    records = RunStore(folder).records()
    RunStore(folder).save_record(records[2].model_copy(update={"samples": records[0].samples}))
    with pytest.raises(BaselineError, match="expected at least 3 seeds with different numbers, got 2 of 3"):
        with_spreads(measured_baseline(spread=None), folder)
