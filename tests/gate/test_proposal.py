"""What a proposal says of a run beside the old baseline: what got worse, margins, what differs, why it is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from btlib import Baseline
from btlib.errors import BaselineError, RecordError
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Verdict
from btlib.gate.acceptance import Proposal, _is_worse, accept, propose
from btlib.runs import CaseRecord, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.provenance import CaseCode


def change(folder: RunStore, case: str = "X", **fields: Any) -> None:
    folder.save_record(CaseRecord.load(folder.record_path(Cell(case, 7))).model_copy(update=fields))


def inform(folder: RunStore, **fields: Any) -> None:
    folder.save_info(folder.info().model_copy(update=fields))


@pytest.fixture
def old(folder: RunStore) -> Baseline:
    return propose(folder.path, "mine", "because", {"dice": 0.05, "accuracy": 0.05}).new


@pytest.mark.parametrize(
    ("status", "metric", "low", "high", "worse"),
    [
        ("pass", "dice", -0.02, -0.01, True),  # within the margin, and beyond doubt
        ("pass", "dice", -0.02, 0.0, False),
        ("pass", "dice", -0.02, 0.01, False),
        ("improved", "dice", 0.01, 0.02, False),
        ("pass", "hd95", 0.01, 0.02, True),  # where lower is better
        ("pass", "hd95", 0.0, 0.02, False),
        ("pass", "hd95", -0.02, -0.01, False),
        ("pass", "dice", None, None, False),
        ("pass", "dice", -0.02, None, False),
        ("measured", "dice", None, None, False),
        ("missing-baseline", "dice", None, None, False),
        ("inconclusive", "dice", -0.2, 0.1, True),
        ("regressed", "dice", -0.2, -0.1, True),
        ("not-comparable", "dice", None, None, True),
        ("error", "dice", None, None, True),
        ("timeout", "hd95", None, None, True),
    ],
)
def test_what_counts_as_worse(status: Any, metric: str, low: float | None, high: float | None, worse: bool):
    assert _is_worse(Verdict("X", metric, status, low=low, high=high), METRICS[metric].sign) is worse


def test_every_case_that_both_have_is_held_against_the_old_one(folder: RunStore, old: Baseline):
    found = propose(folder.path, "mine", "again", old=old)
    assert [(v.case, v.metric, v.status) for v in found.verdicts] == [
        (case, metric, "pass") for case in "XY" for metric in ("dice", "accuracy")
    ]
    without = old.model_copy(update={"cases": {"Y": old.cases["Y"]}})
    assert {v.case for v in propose(folder.path, "mine", "again", old=without).verdicts} == {"Y"}


def test_a_case_that_was_measured_again_with_the_same_numbers_is_the_runs(old: Baseline):
    again = old.model_copy(update={"cases": {"X": old.cases["X"].model_copy(), "Y": old.cases["Y"]}})
    proposal = Proposal(new=again, old=old, verdicts=(), changes=(), refusals=(), worse=())
    assert again.cases["X"] == old.cases["X"]
    assert proposal.cases == ("X",)
    assert replace(proposal, old=None).cases == ("X", "Y")


def test_the_first_numbers_are_kept_without_the_speed_of_their_machine(folder: RunStore, old: Baseline):
    timing = Timing(images=1, seconds=[1.0])
    change(folder, peak_memory_mib=99.0, speed=Speed(case="X", figures={"inference": timing}))
    first = propose(folder.path, "mine", "first").new
    assert (first.cases["X"].speed.keys(), first.cases["X"].peak_memory_mib) == ({"inference"}, 99.0)
    new = propose(folder.path, "mine", "second", old=first).new.cases["X"]
    assert (new.speed.keys(), new.peak_memory_mib) == ({"inference"}, 99.0)
    assert new.first == first.cases["X"].model_copy(
        update={"made": first.provenance_of("X"), "speed": {}, "peak_memory_mib": None}
    )
    later = propose(folder.path, "mine", "third", old=old.model_copy(update={"cases": {"X": new}})).new.cases
    assert later["X"].first == new.first
    assert later["Y"].first is None


def test_a_metric_that_is_no_share_of_one_needs_a_margin(folder: RunStore, old: Baseline):
    change(folder, metrics={"dice": 1, "hd95": 1})
    with pytest.raises(BaselineError, match=r"--margin: hd95 is measured in px(?s:.)*give --margin hd95=VALUE"):
        propose(folder.path, "mine", "because")
    new = propose(folder.path, "mine", "because", {"hd95": 3.0}).new
    assert {case: {m: new.figure(case, m).margin for m in new.gated(case)} for case in "XY"} == {  # type: ignore[union-attr]
        "X": {"dice": 0.02, "hd95": 3.0},
        "Y": {"dice": 0.02, "accuracy": 0.02, "hd95": 3.0},
    }


def test_a_margin_that_is_given_comes_before_the_old_one_and_that_before_the_usual(folder: RunStore, old: Baseline):
    found = propose(folder.path, "mine", "because", {"dice": 0.3}, old)
    margins = {m: found.new.figure("X", m).margin for m in ("dice", "accuracy")}  # type: ignore[union-attr]
    assert margins == {"dice": 0.3, "accuracy": 0.05}
    assert found.changes[:2] == ("margin of X dice: 0.05 → 0.3", "margin of Y dice: 0.05 → 0.3")


def test_all_that_differs_is_told(folder: RunStore, old: Baseline):
    """In the order of recipe, environment, commit and images; what is the same is not."""
    model = CaseRecord.load(folder.record_path(Cell("X", 7))).model
    assert model is not None
    environment = {name: value for name, value in old.environment.items() if name != "numpy"} | {
        "python": "4",
        "new": "x",
    }
    change(folder, model=model.model_copy(update={"source": "trained"}), environment=environment)
    inform(folder, recipe={"epochs": 3, "name": "a"}, commit="abc")
    older = old.model_copy(update={"recipe": {"epochs": 2, "name": "a"}})
    assert propose(folder.path, "mine", "because", old=older).changes == (
        "recipe epochs: 2 → 3",
        "environment new: – → x",
        f"environment numpy: {old.environment['numpy']} → –",
        f"environment python: {old.environment['python']} → 4",
        "commit: None → abc",
    )


CODE = CaseCode(file="models/mine.py", digest="d", commit="c", dirty=True)


@pytest.mark.parametrize(
    ("dirty", "told"), [(True, "uncommitted changes"), (False, "case X comes from models/mine.py")]
)
def test_what_is_not_committed_is_told_once(folder: RunStore, dirty: bool, told: str):
    """Of the whole checkout, or else of the case."""
    inform(folder, dirty=dirty)
    change(folder, code=CODE)
    (refusal,) = propose(folder.path, "mine", "because").refusals
    assert told in refusal


def test_as_many_seeds_slices_and_metrics_or_more_are_no_reason_to_refuse(folder: RunStore, old: Baseline):
    for case in "XY":
        folder.save_record(CaseRecord.load(folder.record_path(Cell(case, 7))).model_copy(update={"seed": 8}))
    assert propose(folder.path, "mine", "because", old=old).refusals == ()
    fewer = old.model_copy(update={"conditions": old.conditions.model_copy(update={"n_test": 7})})
    refusals = propose(folder.path, "mine", "because", old=fewer).refusals
    assert [refusal.split(" (")[0] for refusal in refusals] == ["the conditions differ"]


def test_every_reason_to_refuse_is_told(folder: RunStore, old: Baseline):
    folder.record_path(Cell("Y", 7)).unlink()
    other = old.model_copy(update={"tier": "full"})
    proposal = propose(folder.path, "mine", "because", old=other)
    assert [refusal.split(":")[0] for refusal in proposal.refusals] == [
        "case Y of the baseline is not in the run",
        "the tier of the run is smoke, that of the baseline is full",
    ]
    worse = replace(
        proposal,
        worse=(Verdict("X", "dice", "error", difference=-0.1), Verdict("X", "accuracy", "pass", difference=-0.5)),
    )
    path = folder.path / "mine.json"
    with pytest.raises(BaselineError) as caught:
        accept(worse, path)
    assert caught.value.problem.splitlines() == [
        "not accepted:",
        *(f"  {refusal}" for refusal in proposal.refusals),
        "  quality got worse, or this is not decided: X dice error, X accuracy -0.5000; "
        "give --allow-worse if this is intended",
    ]
    with pytest.raises(BaselineError) as caught:
        accept(worse, path, allow_worse=True)
    assert "quality" not in caught.value.problem
    assert not path.exists()


def test_a_run_that_broke_off_is_refused(folder: RunStore):
    inform(folder, cases=["X", "Y"], seeds=[7, 8])
    with pytest.raises(RecordError, match="case X failed: no record of X, seed 8"):
        propose(folder.path, "mine", "because")


def test_added_cases_replace_those_of_their_name_and_say_how_they_were_made(folder: RunStore, old: Baseline):
    folder.record_path(Cell("Y", 7)).unlink()
    new = propose(folder.path, "mine", "again", old=old, add=True).new
    assert (new.name, new.reason, new.environment) == (old.name, old.reason, old.environment)
    assert new.cases["Y"] is old.cases["Y"]
    assert (new.provenance_of("X").reason, new.provenance_of("Y").reason) == ("again", "because")
    assert new.cases["X"].first is not None


def test_a_baseline_is_written_once_it_is_accepted(folder: RunStore, old: Baseline, tmp_path: Path):
    accept(propose(folder.path, "mine", "because"), tmp_path / "new" / "mine.json")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.json"]
