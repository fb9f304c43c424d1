"""The layout of a baseline file: samples once, room for what comes later, and version 1 read as ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, fingerprint, judge
from btlib.baselines.figure import BaselineCase, Spread
from btlib.baselines.layout import FIGSHARE_V1, from_file, to_file, with_known_patients
from btlib.data.patient_table import figshare_patients
from btlib.errors import BaselineError
from btlib.results import CaseResult, Conditions, PatientFacts, SeedRun
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


def whole_table(make_table: Table, **more: Any) -> SliceTable:
    """With every column that a table can have, each of its own values."""
    table = make_table(**more)
    prob = np.random.default_rng(5).dirichlet((1, 2, 3), table.n).round(3)
    prob[:, 2] = 1 - prob[:, 0] - prob[:, 1]
    two = np.linspace(0.3, 0.9, table.n)
    more = {
        "class_prob": prob.round(3).tolist(),
        "hd95": np.linspace(1, 20, table.n).tolist(),
        "surface_dice_1px": (two / 2).tolist(),
        "surface_dice_2px": two.tolist(),
    }
    return SliceTable(**table.model_dump() | more)


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


def test_every_column_of_every_run_stays_with_its_slice(make_table: Table, tmp_path: Path):
    """In whatever order, of numbers that text sorts otherwise; and seeds, identities and other columns with them."""
    rng = np.random.default_rng(1)
    plain = whole_table(make_table, worse=0.2, wrong=9)
    numbers = (rng.permutation(60) + 1).tolist()
    runs = []
    for i, seed in enumerate((9, 10, 3)):
        table = SliceTable(
            **plain.model_dump() | {"number": numbers, "pred_area": [a + i for a in plain.pred_area or []]}
        )
        order = rng.permutation(60).tolist() if i else list(range(60))
        columns = {name: column and [column[k] for k in order] for name, column in table.model_dump().items()}
        more = {"time [s]": [float(columns["number"][k]) if k % 7 else None for k in range(60)]}
        runs.append(SeedRun(seed=seed, fingerprint=f"f{seed}", slices=SliceTable(**columns), columns=more))
    case = BaselineCase(title="x", figures=[], runs=runs, first=BaselineCase(title="y", figures=[], runs=runs[1:]))
    value = to_file({"conditions": {"origin": "phantom"}, "cases": {"X": case.model_dump()}})
    assert value["samples"]["id"] == [str(number) for number in numbers]
    fields = from_file(json.loads(json.dumps(value)))
    loaded = BaselineCase.model_validate(fields["cases"]["X"])

    def by_slice(run: SeedRun) -> dict[int, list[Any]]:
        columns = {**run.slices.model_dump(), **run.columns}
        assert None not in columns.values()
        return {number: [column[i] for column in columns.values()] for i, number in enumerate(run.slices.number)}

    assert loaded.first is not None
    for found, written in ((loaded.runs, runs), (loaded.first.runs, runs[1:])):
        assert [(run.seed, run.fingerprint) for run in found] == [(run.seed, run.fingerprint) for run in written]
        assert [by_slice(run) for run in found] == [by_slice(run) for run in written]


@pytest.mark.parametrize(("origin", "synthetic"), [("phantom", True), ("figshare", False)])
def test_the_task_is_that_of_the_data(
    origin: str, synthetic: bool, measured_baseline: Make, conditions: Conditions, tmp_path: Path
):
    baseline = measured_baseline(conditions=conditions.model_copy(update={"origin": origin}))
    value = content(baseline, tmp_path / "made.json")
    assert (value["task"]["name"], value["task"]["synthetic"]) == (origin, synthetic)
    assert Baseline.load(tmp_path / "made.json") == baseline
    fields = {name: field for name, field in value.items() if name != "digest"}
    for change in ({"name": "figshare" if origin == "phantom" else "phantom"}, {"synthetic": not synthetic}):
        with pytest.raises(ValueError, match=f"but conditions.origin is {origin}"):
            from_file(fields | {"task": value["task"] | change})
    for classes in (["glioma", "meningioma", "pituitary"], ["meningioma", "glioma"]):
        with pytest.raises(ValueError, match="this version of btlib reads classes meningioma, glioma, pituitary"):
            from_file(fields | {"task": value["task"] | {"classes": classes}})


def test_patients_that_any_run_knows_are_kept(measured_baseline: Make, make_table: Table, tmp_path: Path):
    known = [f"P{i}" for i in range(60)]
    tables = [make_table(patients=patients) for patients in ([None, *known[1:]], [*known[:-1], None], [None] * 60)]
    measured_baseline(*tables).save(tmp_path / "made.json")
    loaded = Baseline.load(tmp_path / "made.json")
    assert [run.slices.patient for run in loaded.cases["X"].runs] == [known] * 3
    other = make_table(patients=[*known[:-1], "another"])
    with pytest.raises(BaselineError, match="disagree on patient of slice 60: P59 and another"):
        measured_baseline(*tables[:1], other).save(tmp_path / "made.json")


def test_cases_of_other_slices_are_not_written_together(measured_baseline: Make, make_table: Table, tmp_path: Path):
    """As many, but not the same; as the first record of a case too."""
    plain = measured_baseline().cases["X"]
    moved = SliceTable(**make_table().model_dump() | {"number": [*range(1, 60), 61]})
    other = measured_baseline(moved).cases["X"]
    for cases in ({"X": plain, "Y": other}, {"X": plain.model_copy(update={"first": other})}):
        with pytest.raises(BaselineError, match="its runs are not of the same slices"):
            measured_baseline(cases=cases).save(tmp_path / "made.json")
    assert list(tmp_path.iterdir()) == []


def test_a_first_record_without_runs_comes_back(measured_baseline: Make, tmp_path: Path):
    """Beside cases that have some."""
    case = measured_baseline().cases["X"]
    first = BaselineCase(title="as published", figures=case.figures)
    baseline = measured_baseline(cases={"X": case.model_copy(update={"first": first}), "Y": case})
    baseline.save(tmp_path / "made.json")
    assert Baseline.load(tmp_path / "made.json") == baseline


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda v: v["cases"]["X"]["runs"][0].update(seed="42"), "seed"),
        (lambda v: v["cases"]["X"]["runs"][0].update(seed=42.0), "seed"),
        (lambda v: v["samples"]["label"].__setitem__(0, "0"), "label"),
        (lambda v: v["samples"]["columns"]["tumour/truth_area"].__setitem__(0, "300"), "truth_area"),
        (lambda v: v["cases"]["X"]["runs"][0]["columns"]["tumour/pred_area"].__setitem__(0, "300"), "pred_area"),
        (lambda v: v["task"].update(synthetic="true"), "synthetic"),
    ],
)
def test_numbers_as_text_are_no_numbers(
    change: Callable[[dict[str, Any]], object], field: str, measured_baseline: Make, tmp_path: Path
):
    value = content(measured_baseline(), tmp_path / "made.json")
    del value["digest"]
    change(value)
    (tmp_path / "made.json").write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    with pytest.raises(BaselineError, match=field):
        Baseline.load(tmp_path / "made.json")


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


def test_persons_of_version_1_are_those_of_the_number(make_table: Table):
    """From the first to the last of the table; one number beyond it, and the table is left as it is."""
    persons = figshare_patients().persons
    last = len(persons)
    assert with_known_patients({"number": [last, 1, 2]}, FIGSHARE_V1) == {
        "number": [last, 1, 2],
        "patient": [str(persons[-1]), str(persons[0]), str(persons[1])],
    }
    for numbers in ([0, 1], [1, last + 1], [True, 2], [1.0, 2], "1"):
        table = {"number": numbers, "patient": ["a"]}
        assert with_known_patients(table, FIGSHARE_V1) == table
    for fingerprint_of_data in ("old", None):
        table = {"number": [1], "patient": [None]}
        assert with_known_patients(table, fingerprint_of_data) == table


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
