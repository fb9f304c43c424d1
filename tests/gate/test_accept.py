"""The life of a baseline: what a run would change, what is refused, and that nothing is written then."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, judge
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BaselineError, RecordError, UnknownNameError
from btlib.gate.acceptance import accept, propose
from btlib.gate.from_results import reference
from btlib.reporting.proposal import proposal_lines
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.runs.results import as_results
from btlib.sample_table import SampleTable

from ..spreads import with_spread

BOTH = {"dice": 0.05, "accuracy": 0.05}


def change(folder: RunStore, case: str = "X", **fields: Any) -> None:
    folder.save_record(CaseRecord.load(folder.record_path(Cell(case, 7))).model_copy(update=fields))


def samples_of(folder: RunStore, case: str = "X") -> SampleTable:
    table = CaseRecord.load(folder.record_path(Cell(case, 7))).samples
    assert table is not None
    return table


def spoil(folder: RunStore, share: float, case: str = "X") -> None:
    """Shrink every intersection of a case."""
    table = samples_of(folder, case)
    kept = [int(np.floor(i * share)) for i in table.overlap()[0][:, 0]]
    columns = {**table.columns, "tumour/intersection": kept}
    change(folder, case, samples=SampleTable(**table.model_dump(exclude={"columns"}), columns=columns))


def inform(folder: RunStore, **fields: Any) -> None:
    folder.save_info(folder.info().model_copy(update=fields))


@pytest.fixture
def old(folder: RunStore) -> Baseline:
    return propose(folder.path, "mine", "because", BOTH).new


def test_a_run_becomes_the_baseline_that_it_then_passes(folder: RunStore, tmp_path: Path):
    proposal = propose(folder.path, "mine", "because", BOTH)
    assert (proposal.old, proposal.verdicts, proposal.refusals, proposal.worse) == (None, (), (), ())
    accept(proposal, tmp_path / "mine.json")
    baseline = Baseline.load(tmp_path / "mine.json")
    assert (baseline.name, baseline.kind, baseline.reason, baseline.tier) == ("mine", "measured", "because", "smoke")
    assert sorted(baseline.cases) == ["X", "Y"]
    assert baseline.environment["numpy"] == np.__version__
    for result in as_results(folder.records()):
        for verdict in judge(result, baseline):
            assert (verdict.status, verdict.difference, verdict.margin) == ("pass", 0, 0.05)


def test_a_baseline_names_no_folder_of_the_machine(folder: RunStore):
    folders = ("--bt-output", "/home/me/out", "--bt-data=/my scans/a", "--bt-checkpoints", "/home/me/my models")
    inform(folder, command=shlex.join(["pytest", "benchmarks", *folders, "--bt-output=x", "-k", "D and (E or F)"]))
    assert propose(folder.path, "mine", "because").new.source == "pytest benchmarks -k 'D and (E or F)'"


def test_every_seed_is_kept(folder: RunStore, tmp_path: Path):
    for case in "XY":
        change(folder, case, seed=8)
    accept(propose(folder.path, "mine", "because"), tmp_path / "mine.json")
    baseline = Baseline.load(tmp_path / "mine.json")
    assert [run.seed for run in baseline.cases["X"].runs] == [7, 8]
    assert baseline.figure("X", "dice").margin == 0.02


def test_another_metric_is_gated_where_a_margin_asks_for_it(folder: RunStore):
    new = propose(folder.path, "mine", "because", {"hd95": 2.0}).new
    figure = new.figure("X", "hd95")
    assert figure is not None
    assert (figure.margin, figure.unit, figure.value) == (2.0, "px", 0)
    later = propose(folder.path, "mine", "because", old=new)
    assert later.new.gated("X") == new.gated("X") == ["dice", "accuracy", "hd95"]
    assert later.new.figure("X", "hd95").margin == 2.0
    assert not any("margin" in line for line in later.changes)


def test_a_subgroup_is_gated_where_a_margin_asks_for_it(folder: RunStore):
    table = samples_of(folder)
    name = f"dice@class:{table.classes[0]}"
    new = propose(folder.path, "mine", "because", {name: 0.03, "dice@size:small": 0.05}).new
    assert new.gated("X") == ["dice", "accuracy", name, "dice@size:small"]
    figure = new.figure("X", name)
    assert figure is not None
    inside = table.labels == 0
    assert (figure.margin, figure.n) == (0.03, int(inside.sum()))
    assert new.family == sum(len(new.gated(case)) for case in new.cases)
    with pytest.raises(UnknownNameError, match="unknown metric of this run 'dice@class:other'") as caught:
        propose(folder.path, "mine", "because", {"dice@class:other": 0.03})
    assert name in str(caught.value)


def test_a_margin_is_of_its_own_case(folder: RunStore, old: Baseline):
    """What is tolerated of X is not tolerated of Y, and a margin that changes is told."""
    record = CaseRecord.load(folder.record_path(Cell("Y", 7)))
    folder.record_path(Cell("Y", 7)).unlink()
    loose = propose(folder.path, "mine", "because", {"dice": 0.3}, old, add=True)
    assert "margin of X dice: 0.05 → 0.3" in loose.changes
    folder.save_record(record)
    later = propose(folder.path, "mine", "because", old=loose.new).new
    assert [later.figure(case, "dice").margin for case in "XY"] == [0.3, 0.05]


def test_not_without_a_metric_that_the_old_one_holds_it_to(folder: RunStore, old: Baseline):
    table = samples_of(folder)
    kept = {
        name: values for name, values in table.columns.items() if name.startswith(("probability/", "tumour/truth_area"))
    }
    classes_only = SampleTable(**table.model_dump(exclude={"columns"}), columns=kept)
    change(folder, metrics={"accuracy": 1}, samples=classes_only)
    refused(folder, old, "case X has no dice, which has a margin in the baseline", allow_worse=True)


def test_what_cannot_be_told_needs_leave(folder: RunStore, old: Baseline):
    """Another definition of a metric: whether it is worse is not known."""
    figures = [f.model_copy(update={"version": 2}) for f in old.cases["X"].figures]
    other = old.cases | {"X": old.cases["X"].model_copy(update={"figures": figures})}
    refused(folder, old.model_copy(update={"cases": other}), "or this is not decided: X dice not-comparable")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"outcome": "error", "error": "it broke", "samples": None}, "case X failed: it broke"),
        ({"outcome": "timeout", "error": "too long", "samples": None}, "case X failed: too long"),
    ],
)
def test_a_failed_case_makes_no_baseline(folder: RunStore, fields: dict[str, Any], told: str):
    change(folder, **fields)
    for make in (lambda: propose(folder.path, "m", "r"), lambda: reference(as_results(folder.records()), "m")):
        with pytest.raises(RecordError, match=told):
            make()


def test_cases_of_different_conditions_make_no_baseline(folder: RunStore):
    record = CaseRecord.load(folder.record_path(Cell("Y", 7)))
    change(folder, "Y", conditions=record.conditions.model_copy(update={"image_size": 64}))
    with pytest.raises(RecordError, match="case Y was measured under other conditions than case X"):
        propose(folder.path, "mine", "because")


def test_a_run_without_records_makes_no_baseline(tmp_path: Path):
    run = RunStore(tmp_path)
    run.save_info(RunInfo(tier="smoke", command="pytest", baseline="b", task=PHANTOM, data="d", started="now"))
    with pytest.raises(RecordError, match="has no records"):
        propose(tmp_path, "mine", "because")


def refused(folder: RunStore, old: Baseline, told: str, **options: Any) -> None:
    """It is told in the proposal, accepting raises, and the file stays as it is."""
    path = folder.path / "mine.json"
    old.save(path)
    before = path.read_bytes()
    proposal = propose(folder.path, "mine", "because", old=old)
    with pytest.raises(BaselineError, match=told) as caught:
        accept(proposal, path, **options)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_not_from_a_dirty_checkout(folder: RunStore, old: Baseline):
    inform(folder, dirty=True)
    refused(folder, old, "uncommitted changes", allow_worse=True)


def test_not_from_smoke_into_full(folder: RunStore, old: Baseline):
    refused(
        folder, old.model_copy(update={"tier": "full"}), "the tier of the run is smoke, that of the baseline is full"
    )


def test_not_over_published_numbers(folder: RunStore, old: Baseline):
    refused(folder, old.model_copy(update={"kind": "published"}), "contains published numbers")


@pytest.mark.parametrize(
    ("kept", "split_name", "told"),
    [
        (7, "slice-seed42", "it has 7 test samples, the baseline has 8"),
        (8, "mine", "split_name: measured 'mine', baseline 'slice-seed42'"),
    ],
)
def test_not_with_fewer_slices_or_another_split(folder: RunStore, old: Baseline, kept: int, split_name: str, told: str):
    for case in "XY":
        record = CaseRecord.load(folder.record_path(Cell(case, 7)))
        assert record.samples is not None
        rows = {name: getattr(record.samples, name)[:kept] for name in ("id", "label", "patient")}
        columns = {name: values[:kept] for name, values in record.samples.columns.items()}
        cut = record.samples.model_dump() | rows | {"columns": columns}
        conditions = record.conditions.model_copy(update={"n_test": kept, "split_name": split_name})
        change(folder, case, samples=SampleTable(**cut), conditions=conditions)
    refused(folder, old, told, allow_worse=True)


def test_not_without_a_case_that_the_old_one_has(folder: RunStore, old: Baseline):
    folder.record_path(Cell("Y", 7)).unlink()
    refused(folder, old, "case Y of the baseline is not in the run")


def test_a_case_is_added_and_the_others_stay(folder: RunStore, old: Baseline, tmp_path: Path):
    folder.record_path(Cell("Y", 7)).unlink()
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    folder.record_path(Cell("X", 7)).unlink()
    trained = record.model.model_copy(update={"source": "trained"})
    folder.save_record(
        record.model_copy(update={"case": "new", "environment": {"machine": "another"}, "model": trained})
    )
    inform(folder, recipe={"epochs": 3}, commit="abc")
    proposal = propose(folder.path, "mine", "a better one", old=old, add=True)
    assert [line.split()[0] for line in proposal_lines(proposal)[2:4]] == ["new", "new"]
    assert proposal_lines(proposal)[4] == ""  # no row for a case that stays
    assert proposal.cases == ("new",)
    assert "different from the baseline: recipe epochs: – → 3" in proposal_lines(proposal)
    accept(proposal, tmp_path / "mine.json")
    baseline = Baseline.load(tmp_path / "mine.json")
    assert sorted(baseline.cases) == ["X", "Y", "new"]
    assert baseline.cases["X"] == old.cases["X"]
    assert (baseline.provenance_of("new").reason, baseline.provenance_of("new").recipe) == (
        "a better one",
        {"epochs": 3},
    )
    assert baseline.provenance_of("new").environment == {"machine": "another"}
    assert (baseline.provenance_of("X").reason, baseline.provenance_of("X").recipe) == ("because", old.recipe)


def test_adding_asks_for_the_same_conditions(folder: RunStore, old: Baseline):
    other = old.model_copy(update={"conditions": old.conditions.model_copy(update={"image_size": 7})})
    proposal = propose(folder.path, "mine", "because", old=other, add=True)
    assert any("image_size" in line for line in proposal.refusals)


def test_not_with_fewer_seeds(folder: RunStore, tmp_path: Path):
    for case in "XY":
        change(folder, case, seed=8)
    old = propose(folder.path, "mine", "because").new
    for case in "XY":
        folder.record_path(Cell(case, 8)).unlink()
    refused(folder, old, "case X has 1 seeds, the baseline has 2: run with --bt-seeds 2")


@pytest.mark.parametrize(
    ("share", "status"), [(0.5, "regressed"), (0.97, "pass")], ids=["far", "within the margin, but beyond doubt"]
)
def test_worse_only_where_it_is_meant(folder: RunStore, old: Baseline, share: float, status: str):
    spoil(folder, share)
    known = with_spread(old)
    found = propose(folder.path, "mine", "because", old=known).worse
    assert [(v.case, v.metric, v.status) for v in found] == [("X", "dice", status)]
    refused(folder, known, "got worse, or this is not decided: X dice -")
    path = folder.path / "mine.json"
    accept(propose(folder.path, "mine", "meant", old=known), path, allow_worse=True)
    assert Baseline.load(path).reason == "meant"


def test_what_is_not_decided_needs_leave_and_is_called_that(folder: RunStore, old: Baseline):
    """Without a known spread between trainings, another model with the same accuracy may be worse."""
    spoil(folder, 0.99)
    found = propose(folder.path, "mine", "because", old=old)
    assert {v.status for v in found.worse} == {"inconclusive"}
    refused(folder, old, r"X accuracy \+0.0000 \(inconclusive\)")


def test_better_needs_no_leave(folder: RunStore, old: Baseline):
    spoil(folder, 0.5)
    worse = with_spread(propose(folder.path, "mine", "before", BOTH).new)
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    change(folder, samples=old.cases["X"].runs[0].samples)
    assert record.samples != old.cases["X"].runs[0].samples
    proposal = propose(folder.path, "mine", "because", old=worse)
    assert {(v.case, v.metric): v.status for v in proposal.verdicts}["X", "dice"] == "improved"
    accept(proposal, folder.path / "mine.json")


def test_what_differs_is_told(folder: RunStore, old: Baseline):
    inform(folder, recipe={"epochs": 3}, commit="abc")
    trained = CaseRecord.load(folder.record_path(Cell("X", 7))).model.model_copy(update={"source": "trained"})
    change(folder, model=trained)
    older = old.model_copy(update={"recipe": {"epochs": 2}, "commit": None})
    lines = propose(folder.path, "mine", "because", old=older).changes
    assert "recipe epochs: 2 → 3" in lines
    assert "commit: None → abc" in lines


@pytest.mark.parametrize("metric", ["dice/tumor", "dice/tumour/x", "hd95"])
def test_a_margin_of_what_no_case_has_is_refused(folder: RunStore, metric: str):
    """A misspelt structure would be gated by nobody."""
    for case in "XY":
        table = samples_of(folder, case)
        columns = {
            name: values for name, values in table.columns.items() if "hd95" not in name and "surface" not in name
        }
        change(folder, case, samples=SampleTable(**table.model_dump(exclude={"columns"}), columns=columns))
    with pytest.raises(UnknownNameError, match="unknown metric of this run"):
        propose(folder.path, "b", "why", {metric: 0.05})
