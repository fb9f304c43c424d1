"""Accepting keeps the numbers that were accepted first and the measured spread between trainings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline
from btlib.errors import UnknownNameError
from btlib.gate.acceptance import accept, propose
from btlib.runs import CaseRecord, RunStore
from btlib.runs.cell import Cell
from btlib.sample_table import SampleTable

from ..spreads import with_spread

BOTH = {"dice": 0.05, "accuracy": 0.05}


def shrink(folder: RunStore, share: float) -> None:
    """Shrink every intersection of X in the record."""
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    assert record.samples is not None
    kept = [int(np.floor(i * share)) for i in record.samples.overlap()[0][:, 0]]
    columns = record.samples.columns | {"tumour/intersection": kept}
    table = SampleTable(**record.samples.model_dump(exclude={"columns"}), columns=columns)
    folder.save_record(record.model_copy(update={"samples": table}))


@pytest.fixture
def old(folder: RunStore) -> Baseline:
    return with_spread(propose(folder.path, "mine", "first reason", BOTH).new)


def test_the_first_numbers_stay_through_all_acceptances(folder: RunStore, old: Baseline, tmp_path: Path) -> None:
    assert old.cases["X"].first is None
    shrink(folder, 0.99)
    second = propose(folder.path, "mine", "second reason", old=old).new
    shrink(folder, 0.99)
    third = propose(folder.path, "mine", "third reason", old=second)
    accept(third, tmp_path / "mine.json", allow_worse=True)
    found = Baseline.load(tmp_path / "mine.json")
    for name in "XY":
        first = found.cases[name].first
        assert first is not None
        assert (first.figures, first.runs) == (old.cases[name].figures, old.cases[name].runs)
        assert first.made is not None
        assert first.made.reason == "first reason"
        assert (first.first, first.speed, first.peak_memory_mib) == (None, {}, None)
    assert found.reason == "third reason"


def test_a_slow_loss_is_refused_until_the_first_numbers_are_moved(folder: RunStore) -> None:
    """Two steps that each lie within the margin, and together beyond twice the margin."""
    tight = {"dice": 0.02, "accuracy": 0.05}
    first = with_spread(propose(folder.path, "mine", "first reason", tight).new)
    shrink(folder, 0.92)
    second = propose(folder.path, "mine", "second", old=first).new
    shrink(folder, 0.995)
    found = {(v.case, v.metric): v for v in propose(folder.path, "mine", "third", old=second).verdicts}["X", "dice"]
    assert found.drift is not None
    assert (found.status, found.drift.status) == ("regressed", "regressed")
    moved = propose(folder.path, "mine", "intended", old=second, move_first=["X"])
    verdict = {(v.case, v.metric): v for v in moved.verdicts}["X", "dice"]
    assert (verdict.status, verdict.drift) == ("pass", None)
    assert moved.new.cases["X"].first is None
    assert moved.new.cases["Y"].first is not None, "only the case that was named"
    with pytest.raises(UnknownNameError, match="unknown case of this run 'Z'"):
        propose(folder.path, "mine", "intended", old=second, move_first=["Z"])


@pytest.mark.parametrize(("recipe", "kept"), [({}, True), ({"epochs": 99}, False)])
def test_the_spread_stays_if_the_recipe_is_the_same(
    folder: RunStore, old: Baseline, recipe: dict[str, Any], kept: bool
) -> None:
    whole = old.model_copy(update={"spreads": old.cases["X"].spread})
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    assert record.model is not None
    for case in "XY":
        trained = record.model.model_copy(update={"source": "trained"})
        one = CaseRecord.load(folder.record_path(Cell(case, 7)))
        folder.save_record(one.model_copy(update={"model": trained}))
    before = propose(folder.path, "mine", "trained", BOTH).new
    known = before.model_copy(update={"spreads": whole.spreads})
    known = with_spread(known)
    folder.save_info(folder.info().model_copy(update={"recipe": {**folder.info().recipe, **recipe}}))
    new = propose(folder.path, "mine", "later", old=known).new
    assert (new.spreads, new.cases["X"].spread) == ((known.spreads, known.cases["X"].spread) if kept else ({}, {}))
