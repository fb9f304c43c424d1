"""A model of another recipe than its baseline's is judged, and every verdict on it names the difference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib import Baseline
from btlib.gate.acceptance import propose
from btlib.gate.judgement import judge_run
from btlib.gate.recipes import differences, other_recipe, with_other_recipe
from btlib.gate.verdict import Verdict
from btlib.reporting.sources import hold, load_source
from btlib.runs import CaseRecord, RunStore
from btlib.runs.cell import Cell

VALUES = st.none() | st.booleans() | st.integers(1, 9) | st.sampled_from(["last", "best"])
RECIPES = st.dictionaries(st.sampled_from("abcd"), VALUES)
DRIFTING = {"name": "r", "epochs": 4, "drifting_batch_norm": True}
FROZEN = DRIFTING | {"drifting_batch_norm": False}
TOLD = "recipe: drifting_batch_norm: measured True, baseline False"


@given(ours=RECIPES, theirs=RECIPES)
def test_differences_are_those_fields_that_are_not_alike_nor_off_on_both_sides(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    found = differences(ours, theirs)
    for name in "abcd":
        a, b = ours.get(name), theirs.get(name)
        off = a in (None, False) and b in (None, False)
        assert (name in found) == (not off and (a != b))
    assert found == {name: (a, b) for name, (b, a) in differences(theirs, ours).items()}
    assert differences(ours, ours) == {}


def test_an_older_recipe_without_the_field_had_frozen_batch_norm() -> None:
    older = {"name": "r", "epochs": 4}
    assert other_recipe(FROZEN, older) == other_recipe(older, FROZEN) == ""
    assert other_recipe(DRIFTING, older) == "recipe: drifting_batch_norm: measured True, baseline None"
    assert other_recipe(older, DRIFTING) == "recipe: drifting_batch_norm: measured None, baseline True"


def test_several_differences_are_one_line() -> None:
    assert other_recipe({"epochs": 4, "keep": "last"}, {"epochs": 8, "keep": "best"}) == (
        "recipe: epochs: measured 4, baseline 8; keep: measured 'last', baseline 'best'"
    )


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_a_recipe_there_is_nothing_to_tell(nothing: Any) -> None:
    assert other_recipe(nothing, FROZEN) == other_recipe(FROZEN, nothing) == ""


def test_only_a_comparison_with_the_same_case_is_told() -> None:
    compared = Verdict("C", "dice", "pass", baseline=0.5)
    assert with_other_recipe(compared, DRIFTING, FROZEN).reason == TOLD
    before = Verdict("C", "dice", "pass", "other images", baseline=0.5)
    assert with_other_recipe(before, DRIFTING, FROZEN).reason == f"other images\n{TOLD}"
    for verdict in (Verdict("C", "dice", "error", "broken"), Verdict("C", "dice", "pass", baseline=0.5, reference="A")):
        assert with_other_recipe(verdict, DRIFTING, FROZEN) == verdict
    assert with_other_recipe(compared, FROZEN, FROZEN) == compared


@pytest.fixture
def run(folder: RunStore) -> RunStore:
    """X was trained by the run's recipe, Y by another one: its record says so."""
    folder.save_info(folder.info().model_copy(update={"recipe": DRIFTING}))
    for case, changes in {"X": {}, "Y": {"recipe_changes": {"drifting_batch_norm": False}}}.items():
        record = CaseRecord.load(folder.record_path(Cell(case, 7)))
        assert record.model is not None
        model = record.model.model_copy(update={"source": "trained", "details": changes})
        folder.save_record(record.model_copy(update={"model": model}))
    return folder


def accepted(run: RunStore, **recipe: Any) -> Baseline:
    new = propose(run.path, "mine", "because", {"dice": 0.05}).new
    return new.model_copy(update={"recipe": FROZEN | recipe, "cases": {n: _own(c) for n, c in new.cases.items()}})


def _own(case: Any) -> Any:
    return case.model_copy(update={"made": None})


def reasons(verdicts: list[Verdict]) -> dict[str, set[bool]]:
    return {case: {TOLD in v.reason.splitlines() for v in verdicts if v.case == case} for case in "XY"}


def test_verdicts_of_a_run_name_the_recipe_of_the_case_that_differs(run: RunStore) -> None:
    found = judge_run(run, accepted(run)).verdicts
    assert reasons(found) == {"X": {True}, "Y": {False}}
    assert {v.status for v in found} <= {"pass", "improved"}, "the status is that of the numbers"


def test_so_do_a_comparison_by_hand_and_a_proposal(run: RunStore, tmp_path: Path) -> None:
    old = accepted(run)
    old.save(tmp_path / "old.json")
    found = hold(load_source(str(run.path), tmp_path), load_source(str(tmp_path / "old.json"), tmp_path))
    assert reasons(found) == {"X": {True}, "Y": {False}}
    (told,) = [line for line in propose(run.path, "mine", "r", {}, old).changes if "batch_norm" in line]
    assert told in ("recipe drifting_batch_norm: False → True", "recipe of X: drifting_batch_norm: False → True")


def test_a_baseline_has_the_recipe_of_most_cases_and_each_other_case_its_own(
    run: RunStore, copied: Callable[[RunStore, str, str], None]
) -> None:
    copied(run, "Y", "Z")
    new = propose(run.path, "mine", "because", {"dice": 0.05}).new
    assert new.recipe == FROZEN
    assert {case: known.made is not None for case, known in new.cases.items()} == {"X": True, "Y": False, "Z": False}
    assert {case: new.provenance_of(case).recipe for case in "XYZ"} == {"X": DRIFTING, "Y": FROZEN, "Z": FROZEN}
    old = new.model_copy(update={"cases": {name: _own(case) for name, case in new.cases.items()}})
    changes = propose(run.path, "mine", "because", {}, old).changes
    assert [line for line in changes if "batch_norm" in line] == ["recipe of X: drifting_batch_norm: False → True"]


@pytest.fixture
def copied() -> Callable[[RunStore, str, str], None]:
    """Add a case with the numbers of another."""

    def copy(run: RunStore, case: str, name: str) -> None:
        info, record = run.info(), CaseRecord.load(run.record_path(Cell(case, 7)))
        run.save_info(info.model_copy(update={"cases": [*info.cases, name]} if info.cases else {}))
        run.save_record(record.model_copy(update={"case": name}))

    return copy
