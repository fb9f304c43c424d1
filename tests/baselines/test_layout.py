"""The layout of a baseline file: samples once, room for what comes later, and version 1 read as ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, fingerprint, judge
from btlib.baselines.figure import Spread
from btlib.baselines.layout import FIGSHARE_V1
from btlib.data.patient_table import figshare_patients
from btlib.errors import BaselineError
from btlib.results import CaseResult, Conditions, PatientFacts
from btlib.slice_table import SliceTable

Make = Callable[..., Baseline]
Table = Callable[..., SliceTable]
Result = Callable[..., CaseResult]


def content(baseline: Baseline, path: Path) -> dict[str, Any]:
    baseline.save(path)
    return json.loads(path.read_text())


def as_version_1(baseline: Baseline, path: Path, dataset_fingerprint: str = "old") -> Path:
    """The file that btlib 0.1 wrote: samples in every run, numbers for ids, one fingerprint of the data."""
    value = baseline.model_dump(mode="json", exclude_defaults=True)
    conditions = {**value["conditions"], "dataset_fingerprint": dataset_fingerprint}
    for name in ("truth_fingerprint", "input_fingerprint", "patients"):
        conditions.pop(name, None)
    value |= {"conditions": conditions, "schema": "btlib-baseline/1"}
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    return path


def turned(table: SliceTable) -> SliceTable:
    return SliceTable(**{name: None if column is None else column[::-1] for name, column in table.model_dump().items()})


def test_samples_stand_once_and_ids_are_text(measured_baseline: Make, make_table: Table, tmp_path: Path):
    value = content(measured_baseline(make_table(), make_table(worse=0.1)), tmp_path / "made.json")
    assert value["schema"] == "btlib-baseline/2"
    assert value["samples"]["id"][:3] == ["1", "2", "3"]
    assert value["samples"]["patient"][:3] == ["P0", "P1", "P2"]
    assert value["task"] == {
        "name": "phantom",
        "classes": ["meningioma", "glioma", "pituitary"],
        "structures": ["tumour"],
        "synthetic": True,
    }
    for run in value["cases"]["X"]["runs"]:
        assert set(run) == {"seed", "fingerprint", "columns"}
        assert not {"number", "label", "patient"} & set(run["columns"])
        assert {"tumour/intersection", "probability/glioma"} <= set(run["columns"])


def test_every_number_comes_back(measured_baseline: Make, make_table: Table, tmp_path: Path):
    """Runs in another order too: what a seed says of a slice stays with the slice."""
    first, second = make_table(), turned(make_table(worse=0.1, wrong=5))
    baseline = measured_baseline(first, second)
    baseline.save(tmp_path / "made.json")
    loaded = Baseline.load(tmp_path / "made.json")
    assert loaded.cases["X"].runs[0].slices == first
    assert loaded.cases["X"].runs[1].slices == turned(second)
    assert loaded.conditions == baseline.conditions


def test_room_for_later_survives(measured_baseline: Make, tmp_path: Path):
    """Spreads of trainings, the first accepted record, any column of a sample, and who the patients are."""
    plain = measured_baseline()
    case = plain.cases["X"]
    spread = {"dice": Spread(sd=0.01, trainings=3, source="a test")}
    first = case.model_copy(update={"made": plain.made("X")})
    runs = [case.runs[0].model_copy(update={"columns": {"time [s]": [None, *np.arange(59.0).tolist()]}})]
    facts = PatientFacts(source="table", n_test=60, seen=59)
    full = plain.model_copy(
        update={
            "cases": {"X": case.model_copy(update={"spread": spread, "first": first, "runs": runs})},
            "spreads": spread,
            "conditions": plain.conditions.model_copy(update={"patients": facts}),
        }
    )
    full.save(tmp_path / "made.json")
    assert Baseline.load(tmp_path / "made.json") == full


@pytest.mark.parametrize("change", [{"label": 1}, {"truth_area": 1}])
def test_runs_that_disagree_on_a_slice_are_not_written(
    change: dict[str, int], measured_baseline: Make, make_table: Table, tmp_path: Path
):
    fields = make_table().model_dump()
    for name, step in change.items():
        fields[name][0] += step
    with pytest.raises(BaselineError, match=f"disagree on {next(iter(change))} of slice 1"):
        measured_baseline(make_table(), SliceTable(**fields)).save(tmp_path / "made.json")
    assert not (tmp_path / "made.json").exists()


def test_version_1_loads_and_judges(
    measured_baseline: Make, make_table: Table, measured: Result, conditions: Conditions, tmp_path: Path
):
    """Its data are known by the test slices: the same ones pass, and others do not."""
    path = as_version_1(measured_baseline(), tmp_path / "made.json")
    old = Baseline.load(path)
    assert old.schema_version == 1
    assert old.conditions.truth_fingerprint is None
    assert [v.status for v in judge(measured(make_table()), old)] == ["pass", "pass"]
    assert [v.status for v in judge(measured(make_table(worse=0.1)), old)] == ["regressed", "pass"]
    fields = make_table().model_dump()
    fields["truth_area"][7] += 1
    assert {v.status for v in judge(measured(SliceTable(**fields)), old)} == {"not-comparable"}
    other = conditions.model_copy(update={"split_fingerprint": "s2"})
    assert {v.status for v in judge(measured(make_table(), under=other), old)} == {"not-comparable"}


def test_version_1_is_not_written_again_as_if_its_data_were_known(measured_baseline: Make, tmp_path: Path):
    old = Baseline.load(as_version_1(measured_baseline(), tmp_path / "made.json"))
    before = (tmp_path / "made.json").read_bytes()
    with pytest.raises(BaselineError, match=r"does not know the data(?s:.)*btlib baseline migrate"):
        old.save(tmp_path / "made.json")
    assert (tmp_path / "made.json").read_bytes() == before


def test_version_1_of_the_known_copy_gets_its_persons(measured_baseline: Make, make_table: Table, tmp_path: Path):
    table = make_table(patients=[None] * 60)
    known = Baseline.load(as_version_1(measured_baseline(table), tmp_path / "known.json", FIGSHARE_V1))
    persons = figshare_patients().persons
    assert known.cases["X"].runs[0].slices.patient == [str(persons[number - 1]) for number in table.number]
    other = Baseline.load(as_version_1(measured_baseline(table), tmp_path / "other.json"))
    assert other.cases["X"].runs[0].slices.patient == [None] * 60


@pytest.mark.parametrize(
    "damage",
    [
        lambda v: v["conditions"].pop("dataset_fingerprint") and v["conditions"].pop("split_name"),
        lambda v: v.update(conditions=3),
        lambda v: v.update(cases=[1]),
        lambda v: v["cases"]["X"].update(runs=3),
        lambda v: v["cases"]["X"].update(runs=[3]),
        lambda v: v["cases"]["X"]["runs"][0].update(slices=3),
        lambda v: v["cases"]["X"]["runs"][0]["slices"].update(number="seven"),
        lambda v: v["cases"]["X"]["runs"][0]["slices"].update(number=[9999] * 60),
        lambda v: v["cases"]["X"]["runs"][0]["slices"].update(number=[[1]] * 60),
        lambda v: v.update(samples={}),
    ],
)
def test_damaged_version_1_is_refused_by_name(
    damage: Callable[[dict[str, Any]], object], measured_baseline: Make, tmp_path: Path
):
    path = as_version_1(measured_baseline(), tmp_path / "made.json", FIGSHARE_V1)
    value = json.loads(path.read_text())
    del value["digest"]
    damage(value)
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    with pytest.raises(BaselineError, match="does not follow btlib-baseline/1"):
        Baseline.load(path)
