"""The layout of a baseline file: samples once, room for what comes later, and version 1 read as ever."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, fingerprint, judge
from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import BUILT_IN, PHANTOM
from btlib.data.task import Task
from btlib.errors import BaselineError
from btlib.gate.baseline_case import BaselineCase, Spread
from btlib.gate.layout import from_file, to_file
from btlib.older import FIGSHARE_V1, with_known_patients
from btlib.results import CaseResult, Conditions, PatientFacts, SeedRun
from btlib.sample_table import SampleTable, sample_table

Make = Callable[..., Baseline]
Table = Callable[..., SampleTable]
Result = Callable[..., CaseResult]


PROBABILITIES = [f"probability/{name}" for name in PHANTOM.classes]


def content(baseline: Baseline, path: Path) -> dict[str, Any]:
    baseline.save(path)
    return json.loads(path.read_text())


def as_slices(table: dict[str, Any]) -> dict[str, Any]:
    columns = table["columns"]
    return {
        "number": [int(name) for name in table["id"]],
        **{name: table[name] for name in ("label", "patient")},
        **{name.split("/")[1]: values for name, values in columns.items() if name.startswith("tumour/")},
        "class_prob": [list(row) for row in zip(*(columns[name] for name in PROBABILITIES), strict=True)],
    }


def as_version_1(baseline: Baseline, path: Path, dataset_fingerprint: str = "old") -> Path:
    """The file that btlib 0.1 wrote: samples in every run, numbers for ids, one fingerprint of the data."""
    value = baseline.model_dump(mode="json", exclude_defaults=True)
    later = ("task", "truth_fingerprint", "input_fingerprint", "patients", "independent")
    conditions = {name: field for name, field in value["conditions"].items() if name not in later}
    conditions |= {"origin": baseline.conditions.task.name, "dataset_fingerprint": dataset_fingerprint}
    for case in value["cases"].values():
        for run in case["runs"]:
            run["slices"] = as_slices(run.pop("samples"))
    value |= {"conditions": conditions, "schema": "btlib-baseline/1"}
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    return path


def every_column(n: int) -> dict[str, list[Any]]:
    """Every column that a table of masks and classes can have beside its counts, each of its own values."""
    prob = np.random.default_rng(5).dirichlet((1, 2, 3), n).round(3)
    prob[:, 2] = 1 - prob[:, 0] - prob[:, 1]
    two = np.linspace(0.3, 0.9, n)
    return {
        **dict(zip(PROBABILITIES, prob.round(3).T.tolist(), strict=True)),
        "tumour/hd95": np.linspace(1, 20, n).tolist(),
        "tumour/surface_dice_1px": (two / 2).tolist(),
        "tumour/surface_dice_2px": two.tolist(),
        "time [s]": [float(k) if k % 7 else None for k in range(n)],
    }


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
    }, "the rest is known of a task of btlib's own"
    for run in value["cases"]["X"]["runs"]:
        assert set(run) == {"seed", "fingerprint", "columns"}
        assert not {"number", "label", "patient"} & set(run["columns"])
        assert {"tumour/intersection", "probability/glioma"} <= set(run["columns"])


def test_every_number_comes_back(measured_baseline: Make, make_table: Table, reordered: Table, tmp_path: Path):
    """Runs in another order too: what a seed says of a sample stays with the sample."""
    back = range(60)[::-1]
    first, second = make_table(), reordered(make_table(worse=0.1, wrong=5), back)
    baseline = measured_baseline(first, second)
    baseline.save(tmp_path / "made.json")
    loaded = Baseline.load(tmp_path / "made.json")
    assert loaded.cases["X"].runs[0].samples == first
    assert loaded.cases["X"].runs[1].samples == reordered(second, back)
    assert loaded.conditions == baseline.conditions


def test_room_for_later_survives(measured_baseline: Make, tmp_path: Path):
    """Spreads of trainings, the first accepted record, any column of a sample, and who the patients are."""
    plain = measured_baseline()
    case = plain.cases["X"]
    spread = {"dice": Spread(sd=0.01, trainings=3, source="a test")}
    first = case.model_copy(update={"made": plain.provenance_of("X")})
    table = case.runs[0].samples
    timed = SampleTable(
        **table.model_dump(exclude={"columns"}),
        columns=table.columns | {"time [s]": [None, *np.arange(59.0).tolist()], "reader": [*range(59), None]},
    )
    runs = [case.runs[0].model_copy(update={"samples": timed})]
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


def test_every_column_of_every_run_stays_with_its_sample(make_table: Table, changed: Table, reordered: Table):
    """In whatever order, of ids that text sorts otherwise; and seeds, identities and other columns with them."""
    rng = np.random.default_rng(1)
    names = [str(number) for number in rng.permutation(60) + 1]
    plain = make_table(worse=0.2, wrong=9, patients=[f"P{k // 6}" for k in range(60)])
    plain = changed(plain, id=names, volume=[f"v{k // 3}" for k in range(60)])
    runs = []
    for i, seed in enumerate((9, 10, 3)):
        areas = [area + i for area in plain.columns["tumour/pred_area"]]
        columns = {**plain.columns, **every_column(60), "tumour/pred_area": areas}
        table = SampleTable(**plain.model_dump(exclude={"columns"}), columns=columns)
        order = rng.permutation(60).tolist() if i else range(60)
        runs.append(SeedRun(seed=seed, fingerprint=f"f{seed}", samples=reordered(table, order)))
    case = BaselineCase(title="x", figures=[], runs=runs, first=BaselineCase(title="y", figures=[], runs=runs[1:]))
    value = to_file({"conditions": {"task": PHANTOM.model_dump(mode="json")}, "cases": {"X": case.model_dump()}})
    assert value["samples"]["id"] == names
    fields = from_file(json.loads(json.dumps(value)))
    loaded = BaselineCase.model_validate(fields["cases"]["X"])

    def by_sample(run: SeedRun) -> dict[str, dict[str, Any]]:
        table = run.samples
        assert (table.classes, table.structures) == (list(PHANTOM.classes), list(PHANTOM.structures))
        columns = {"label": table.label, "patient": table.patient, "volume": table.volume, **table.columns}
        assert columns.keys() == {"label", "patient", "volume", *plain.columns, *every_column(1)}
        return {
            name: {key: None if column is None else column[i] for key, column in columns.items()}
            for i, name in enumerate(table.id)
        }

    assert loaded.first is not None
    for found, written in ((loaded.runs, runs), (loaded.first.runs, runs[1:])):
        assert [(run.seed, run.fingerprint) for run in found] == [(run.seed, run.fingerprint) for run in written]
        assert [by_sample(run) for run in found] == [by_sample(run) for run in written]


@pytest.mark.parametrize(("origin", "synthetic"), [("phantom", True), ("figshare", False)])
def test_the_task_is_that_of_the_data(
    origin: str, synthetic: bool, measured_baseline: Make, conditions: Conditions, tmp_path: Path
):
    baseline = measured_baseline(conditions=conditions.model_copy(update={"task": BUILT_IN[origin]}))
    value = content(baseline, tmp_path / "made.json")
    assert (value["task"]["name"], value["task"]["synthetic"]) == (origin, synthetic)
    assert Baseline.load(tmp_path / "made.json") == baseline
    fields = {name: field for name, field in value.items() if name != "digest"}
    other = {"name": "figshare" if origin == "phantom" else "phantom", "synthetic": not synthetic}
    with pytest.raises(ValueError, match=f"its name is '{other['name']}', but conditions.origin is '{origin}'"):
        from_file(fields | {"task": value["task"] | other})
    assert from_file(fields)["conditions"]["task"] == BUILT_IN[origin].model_dump(mode="json")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"synthetic": False}, "task.synthetic: expected True for a built-in task, got False"),
        ({"classes": ["glioma", "meningioma", "pituitary"]}, "task.classes: expected ['meningioma', 'glioma', 'pitu"),
        ({"structures": ["lesion"]}, "task.structures: expected ['tumour'] for a built-in task, got ['lesion']"),
        ({"channels": ["T2"]}, "task.channels: expected ['T1 contrast-enhanced'] for a built-in task, got ['T2']"),
        ({"licence": "CC0"}, "task.licence: expected None for a built-in task, got 'CC0'"),
        ({"colour": None}, "task.colour: Extra inputs are not permitted"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_task_of_btlibs_own_name_is_no_other(
    change: dict[str, Any], told: str, measured_baseline: Make, tmp_path: Path
):
    """What a file says is not taken for a built-in task; what it says beside what is needed must be so."""
    fields = content(measured_baseline(), tmp_path / "made.json")
    del fields["digest"]
    for same in PHANTOM.model_dump(mode="json").items():
        assert from_file(fields | {"task": fields["task"] | dict([same])}) == from_file(fields)
    with pytest.raises(ValueError, match=re.escape(told)):
        from_file(fields | {"task": fields["task"] | change})


def test_of_another_task_all_is_told(measured_baseline: Make, conditions: Conditions, tmp_path: Path):
    """Also where it is like one of btlib's own but for its name; one of that very name is not written."""
    task = PHANTOM.model_copy(update={"name": "mine", "citation": "doi 1"})
    baseline = measured_baseline(conditions=conditions.model_copy(update={"task": task}))
    value = content(baseline, tmp_path / "made.json")
    assert value["task"] == task.model_dump(mode="json", exclude_defaults=True)
    assert Baseline.load(tmp_path / "made.json") == baseline
    renamed = measured_baseline(
        conditions=conditions.model_copy(update={"task": PHANTOM.model_copy(update={"citation": "doi 1"})})
    )
    with pytest.raises(BaselineError, match=r"task\.citation: expected None for a built-in task, got 'doi 1'"):
        renamed.save(tmp_path / "renamed.json")


@pytest.mark.parametrize("field", ["classes", "structures"])
def test_a_table_of_another_task_is_refused(field: str, measured_baseline: Make, conditions: Conditions):
    task = PHANTOM.model_copy(update={"name": "mine", field: tuple("abc" if field == "classes" else "a")})
    with pytest.raises(ValueError, match=rf"samples\.{field}: expected a.* as in the task, got "):
        measured_baseline(conditions=conditions.model_copy(update={"task": task}))


def test_patients_that_any_run_knows_are_kept(measured_baseline: Make, make_table: Table, tmp_path: Path):
    known = [f"P{i}" for i in range(60)]
    tables = [make_table(patients=patients) for patients in ([None, *known[1:]], [*known[:-1], None], [None] * 60)]
    measured_baseline(*tables).save(tmp_path / "made.json")
    loaded = Baseline.load(tmp_path / "made.json")
    assert [run.samples.patient for run in loaded.cases["X"].runs] == [known] * 3
    other = make_table(patients=[*known[:-1], "another"])
    with pytest.raises(BaselineError, match="disagree on patient of sample 60: P59 and another"):
        measured_baseline(*tables[:1], other).save(tmp_path / "made.json")


def test_cases_of_other_samples_are_not_written_together(
    measured_baseline: Make, make_table: Table, changed: Table, tmp_path: Path
):
    """As many, but not the same; as the first record of a case too."""
    plain = measured_baseline().cases["X"]
    moved = changed(make_table(), id=[*map(str, range(1, 60)), "61"])
    other = measured_baseline(moved).cases["X"]
    for cases in ({"X": plain, "Y": other}, {"X": plain.model_copy(update={"first": other})}):
        with pytest.raises(BaselineError, match="its runs do not have the same samples"):
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


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("label", 1, "label of sample 1: 0 and 1"),
        ("tumour__truth_area", 399, "tumour/truth_area of sample 1: 385 and 399"),
        ("volume", "other", "volume of sample 1: v0 and other"),
    ],
)
def test_runs_that_disagree_on_a_sample_are_not_written(
    name: str, value: Any, told: str, measured_baseline: Make, make_table: Table, changed: Table, tmp_path: Path
):
    plain = changed(make_table(), volume=[f"v{k}" for k in range(60)])
    column = plain.columns["tumour/truth_area"] if "area" in name else getattr(plain, name)
    other = changed(plain, **{name: [value, *column[1:]]})
    with pytest.raises(BaselineError, match=f"disagree on {told}"):
        measured_baseline(plain, other).save(tmp_path / "made.json")
    assert not (tmp_path / "made.json").exists()


def test_version_1_loads_and_judges(
    measured_baseline: Make,
    make_table: Table,
    changed: Table,
    measured: Result,
    conditions: Conditions,
    tmp_path: Path,
):
    """Its data are known by the test samples: the same ones pass, and others do not."""
    path = as_version_1(measured_baseline(), tmp_path / "made.json")
    old = Baseline.load(path)
    assert old.schema_version == 1
    assert old.conditions.truth_fingerprint is None
    assert [v.status for v in judge(measured(make_table()), old)] == ["pass", "pass"]
    assert [v.status for v in judge(measured(make_table(worse=0.1)), old)] == ["regressed", "pass"]
    areas = make_table().columns["tumour/truth_area"]
    other_truth = changed(make_table(), tumour__truth_area=[*areas[:7], areas[7] + 1, *areas[8:]])
    assert {v.status for v in judge(measured(other_truth), old)} == {"not-comparable"}
    other = conditions.model_copy(update={"split_fingerprint": "s2"})
    assert {v.status for v in judge(measured(make_table(), under=other), old)} == {"not-comparable"}


def test_version_1_is_not_written_again_as_if_its_data_were_known(measured_baseline: Make, tmp_path: Path):
    old = Baseline.load(as_version_1(measured_baseline(), tmp_path / "made.json"))
    before = (tmp_path / "made.json").read_bytes()
    with pytest.raises(BaselineError, match=r"does not identify its data(?s:.)*btlib baseline migrate"):
        old.save(tmp_path / "made.json")
    assert (tmp_path / "made.json").read_bytes() == before


def test_version_1_of_the_known_copy_gets_its_persons(measured_baseline: Make, make_table: Table, tmp_path: Path):
    table = make_table(patients=[None] * 60)
    known = Baseline.load(as_version_1(measured_baseline(table), tmp_path / "known.json", FIGSHARE_V1))
    persons = figshare_patients().persons
    assert known.cases["X"].runs[0].samples.patient == [str(persons[int(name) - 1]) for name in table.id]
    other = Baseline.load(as_version_1(measured_baseline(table), tmp_path / "other.json"))
    assert other.cases["X"].runs[0].samples.patient == [None] * 60


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


OWN = Task(
    name="lungs",
    classes=("healthy", "ill"),
    structures=("left", "right"),
    channels=("CT", "PET"),
    spacing=(0.5, 0.75),
    independent=True,
    licence="CC0",
)


def test_a_baseline_of_a_task_of_ones_own_comes_back(measured_baseline: Make, conditions: Conditions, tmp_path: Path):
    """Two structures, two classes, volumes, ids that are any text, a sample without anything to find."""
    areas = np.array([[9, 4], [0, 7], [0, 0]])
    table = sample_table(
        OWN,
        ["b/1", "01", "a"],
        ["p", "p", "q"],
        labels=[0, 1, 1],
        volumes=["v", "v", "w"],
        measures={
            "truth_area": areas,
            "intersection": areas // 2,
            "pred_area": areas,
            "hd95": np.where(areas > 0, 1.5, np.nan),
            "surface_dice_1px": np.where(areas > 0, 0.5, np.nan),
            "surface_dice_2px": np.where(areas > 0, 0.75, np.nan),
        },
        class_prob=np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]),
    )
    under = conditions.model_copy(update={"task": OWN, "n_test": 3, "test_class_counts": [1, 2]})
    baseline = measured_baseline(table, conditions=under)
    value = content(baseline, tmp_path / "made.json")
    loaded = Baseline.load(tmp_path / "made.json")
    assert (loaded, loaded.conditions.task, loaded.cases["X"].runs[0].samples) == (baseline, OWN, table)
    assert value["samples"]["volume"] == ["v", "v", "w"]
    assert value["samples"]["columns"] == {"left/truth_area": [9, 0, 0], "right/truth_area": [4, 7, 0]}
    assert value["cases"]["X"]["runs"][0]["columns"]["left/hd95"] == [1.5, None, None]
    assert (value["conditions"]["origin"], value["task"]["channels"]) == ("lungs", ["CT", "PET"])


def test_a_baseline_without_classes_or_masks_comes_back(
    measured_baseline: Make, conditions: Conditions, tmp_path: Path
):
    masks = Task(name="masks", structures=("tumour",))
    ids, patients, area = ["1", "2"], ["p", "q"], np.array([[5], [6]])
    counts = {"truth_area": area, "intersection": area, "pred_area": area}
    without = sample_table(masks, ids, patients, measures=counts)
    classes = Task(name="classes", classes=("a", "b"))
    plain = sample_table(classes, ids, patients, labels=[0, 1], class_prob=np.eye(2))
    for task, table, test_class_counts in ((masks, without, []), (classes, plain, [1, 1])):
        under = conditions.model_copy(update={"task": task, "n_test": 2, "test_class_counts": test_class_counts})
        runs = [SeedRun(seed=1, fingerprint=None, samples=table)]
        case = BaselineCase(title="x", figures=[], runs=runs)
        baseline = measured_baseline(conditions=under, cases={"X": case})
        baseline.save(tmp_path / f"{task.name}.json")
        assert Baseline.load(tmp_path / f"{task.name}.json") == baseline
