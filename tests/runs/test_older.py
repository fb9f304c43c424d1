"""Files of runs that older versions wrote: the same numbers are read from them, each file as it was written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import files
from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.errors import RecordError
from btlib.evaluation import summarise
from btlib.evaluation.catalogue import METRICS
from btlib.explain.explained import Explained
from btlib.explain.maps import Maps
from btlib.npz import write_npz
from btlib.older import FIGSHARE_V1
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.runs.masks import Masks
from btlib.runs.results import as_results
from btlib.runs.split import Part, SplitFile

SLICES = {
    "number": [9, 10, 100, 2, 31],
    "label": [0, 1, 2, 1, 0],
    "patient": ["a", "a", "b", "c", "c"],
    "truth_area": [40, 55, 7, 300, 121],
    "intersection": [31, 0, 6, 287, 120],
    "pred_area": [35, 0, 9, 320, 140],
    "class_prob": [[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.1, 0.6, 0.3], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4]],
    "hd95": [2.2361, 45.2548, 1.0, 3.1623, 2.0],
    "surface_dice_1px": [0.5, 0.0, 0.875, 0.25, 0.75],
    "surface_dice_2px": [0.75, 0.0, 1.0, 0.5, 0.9375],
}
PATIENTS = {"source": "files", "n_test": 3, "seen": 2}
CONDITIONS = {
    "origin": "figshare",
    "split_name": "slice-seed42",
    "split_fingerprint": "s1",
    "n_test": 5,
    "test_class_counts": [2, 2, 1],
    "image_size": 32,
    "scaling": "thesis",
    "threshold": 0.65,
    "epsilon": 1e-06,
}
"""Those of both versions: 1 had "dataset_fingerprint" beside them, 2 the four of `LATER`."""
LATER = {"truth_fingerprint": "t1", "input_fingerprint": "i1", "patients": PATIENTS, "independent": False}
RECORD = {
    "case": "X",
    "title": "case X",
    "tier": "full",
    "seed": 7,
    "metrics": {"dice": 1, "accuracy": 1},
    "outcome": "done",
    "error": None,
    "summary": {"n": 5},
    "threshold_curve": None,
    "curves_sha256": None,
    "batch_mean_size": 2,
    "images_per_second": None,
    "peak_memory_mib": None,
    "seconds": 3.0,
    "prepare_seconds": None,
    "predict_seconds": None,
    "model": {"source": "trained", "fingerprint": "m", "seconds": 2.0, "details": {"threshold": 0.4}, "notes": []},
    "code": None,
    "environment": {"numpy": "1"},
    "created": "2026-01-01T00:00:00+00:00",
}
VALUES = {
    "dice": [0.8266666689777777, 1.8181817851239675e-08, 0.750000015624999, 0.9258064517325703, 0.9195402301933324],
    "iou": [0.7045454612603305, 1.8181817851239675e-08, 0.6000000399999961, 0.8618618622766911, 0.8510638308435189],
    "sensitivity": [0.775, 0.0, 0.8571428571428571, 0.9566666666666667, 0.9917355371900827],
    "precision": [0.8857142857142857, 0.0, 0.6666666666666666, 0.896875, 0.8571428571428571],
    "miss_rate": [0.0, 1.0, 0.0, 0.0, 0.0],
    "hd95": [2.2361, 45.2548, 1.0, 3.1623, 2.0],
    "surface_dice_1px": [0.5, 0.0, 0.875, 0.25, 0.75],
    "surface_dice_2px": [0.75, 0.0, 1.0, 0.5, 0.9375],
    "accuracy": [1.0, 1.0, 0.0, 1.0, 0.0],
    "brier": [0.14000000000000004, 0.375, 0.8599999999999999, 0.014999999999999996, 0.74],
    "nll": [0.35667494393873245, 0.6931471805599453, 1.2039728043259361, 0.10536051565782628, 1.2039728043259361],
    "balanced_accuracy": 0.5,
    "macro_f1": 0.48888888888888893,
    "auroc": 0.8611111111111112,
    "ece": 0.38,
}
"""What version 0.1 made of `SLICES`."""
DICE = {
    "slice_mean": 0.6844026769420994,
    "std": 0.3893952057429617,
    "batch_mean": 0.7235922691506382,
    "patient_mean": 0.6953355667225827,
    "by_class": {"meningioma": 0.8731034495855551, "glioma": 0.46290323495719404, "pituitary": 0.750000015624999},
    "by_size": {"small": 0.7883333423013883, "middle": 0.4597701241875751, "large": 0.9258064517325703},
    "undefined": 0,
}


def write(path: Path, value: dict[str, Any], *, sealed: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(files.sealed(value) if sealed else value))
    return path


def of_version_2(**fields: Any) -> dict[str, Any]:
    return {"schema": "btlib-record/2", **RECORD, "conditions": CONDITIONS | LATER, "slices": SLICES, **fields}


def of_version_1(dataset_fingerprint: str, **fields: Any) -> dict[str, Any]:
    """It knew nothing of patients where the files had no codes."""
    conditions = CONDITIONS | {"dataset_fingerprint": dataset_fingerprint}
    slices = SLICES | {"patient": [None] * 5}
    return {"schema": "btlib-record/1", **RECORD, "conditions": conditions, "slices": slices, **fields}


@pytest.mark.parametrize("value", [of_version_2(), of_version_1("other")], ids=["2", "1"])
def test_a_record_has_the_numbers_it_had(value: dict[str, Any], tmp_path: Path):
    record = CaseRecord.load(write(tmp_path / "a.json", value, sealed=value["schema"].endswith("2")))
    table = record.samples
    assert table is not None
    assert table.id == ["9", "10", "100", "2", "31"]
    assert (table.label, table.patient, table.volume) == (SLICES["label"], value["slices"]["patient"], None)
    assert (table.classes, table.structures) == (list(FIGSHARE.classes), ["tumour"])
    counts = ("intersection", "pred_area", "truth_area")
    for name, found in zip(counts, table.overlap(), strict=True):
        assert found[:, 0].tolist() == SLICES[name]
    assert table.class_prob.tolist() == SLICES["class_prob"]
    assert {name: METRICS[name].of(table).tolist() for name in METRICS.of_table(table)} == VALUES
    summary = summarise(table, record.batch_mean_size)
    known = summary["dice"]
    assert known == DICE | ({} if table.patient[0] else {"patient_mean": None})
    assert summary["confusion"] == [[1, 0, 1], [0, 2, 0], [0, 1, 0]]
    assert (record.summary, record.threshold, record.schema_) == ({"n": 5}, 0.4, "btlib-record/4")


def test_conditions_of_version_2_are_all_known(tmp_path: Path):
    found = CaseRecord.load(write(tmp_path / "a.json", of_version_2())).conditions
    rest = {name: field for name, field in (CONDITIONS | LATER).items() if name != "origin"}
    rest |= {"spacing_fingerprint": None}
    assert found.task == FIGSHARE
    assert found.model_dump(mode="json", exclude={"task"}) == rest
    phantoms = of_version_2(conditions=CONDITIONS | LATER | {"origin": "phantom"})
    assert CaseRecord.load(write(tmp_path / "b.json", phantoms)).conditions.task == PHANTOM


def test_conditions_of_version_1_do_not_know_their_data_but_by_the_test_slices(tmp_path: Path):
    for known in ("other", FIGSHARE_V1):
        record = CaseRecord.load(write(tmp_path / "a.json", of_version_1(known), sealed=False))
        assert (record.conditions.truth_fingerprint, record.conditions.input_fingerprint) == (None, None)
        assert (record.conditions.patients, record.conditions.independent) == (None, False)
        assert record.samples is not None
        persons = [str(figshare_patients().persons[number - 1]) for number in (9, 10, 100, 2, 31)]
        assert record.samples.patient == (persons if known == FIGSHARE_V1 else [None] * 5)


@pytest.mark.parametrize(
    "value",
    [
        of_version_2(slices=None, outcome="error", error="it broke", summary=None),
        of_version_1("other", slices=None, outcome="error", error="it broke", summary=None),
    ],
    ids=["2", "1"],
)
def test_a_record_of_a_failure_is_one_still(value: dict[str, Any], tmp_path: Path):
    record = CaseRecord.load(write(tmp_path / "a.json", value))
    assert record.samples is None
    assert (as_results([record])[0].failure, as_results([record])[0].message) == ("error", "it broke")


@pytest.mark.parametrize("part", ["mask", "classes"])
def test_a_record_without_masks_or_without_classes(part: str, tmp_path: Path):
    """What there was none of stood in it as null."""
    masks = ("intersection", "pred_area", "hd95", "surface_dice_1px", "surface_dice_2px")
    slices = SLICES | dict.fromkeys(masks if part == "mask" else ("class_prob",))
    table = CaseRecord.load(write(tmp_path / "a.json", of_version_2(slices=slices))).samples
    assert table is not None
    assert (table.has_mask, table.has_boundary, table.has_classes) == (part != "mask", part != "mask", part == "mask")
    assert table.truth_area[:, 0].tolist() == SLICES["truth_area"]
    there = {name: values for name, values in VALUES.items() if METRICS[name].available(table)}
    assert {name: METRICS[name].of(table).tolist() for name in METRICS.of_table(table)} == there
    assert len(there) == (7 if part == "mask" else 8)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"number": ["9", "10", "100", "2", "31"]}, "number: expected a list of whole numbers"),
        ({"number": [9, 10, 100, 2, True]}, "number: expected a list of whole numbers"),
        ({"number": [9, 10, 100, 2, 9]}, "a sample occurs more than once"),
        ({"class_prob": [[0.5, 0.5]] * 5}, "class_prob: expected rows of 3 probabilities"),
        ({"class_prob": [[0.7, 0.2, 0.2]] * 5}, "must sum to 1"),
        ({"intersection": [36, 0, 6, 287, 120]}, "intersection: larger than one of the two masks"),
        ({"pred_area": [35.0, 0, 9, 320, 140]}, "expected whole numbers"),
        ({"hd95": [2.2361, 0.0, 1.0, 3.1623, 2.0]}, "expected the values of a miss"),
        ({"label": [0, 1, 2, 1, 3]}, "label: expected 0…2, got 3"),
        ({"colour": [1, 2, 3, 4, 5]}, "colour: no such column"),
    ],
)
def test_a_damaged_table_is_refused_by_name(change: dict[str, Any], told: str, tmp_path: Path):
    for value in (of_version_2(slices=SLICES | change), of_version_1("other", slices=SLICES | change)):
        with pytest.raises(RecordError, match=told) as caught:
            CaseRecord.load(write(tmp_path / "a.json", value))
        assert caught.value.where == str(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["number", "label", "patient", "truth_area"])
def test_a_table_that_lacks_a_column_is_refused_by_name(name: str, tmp_path: Path):
    slices = {key: column for key, column in SLICES.items() if key != name}
    with pytest.raises(RecordError, match=f"{name}: missing"):
        CaseRecord.load(write(tmp_path / "a.json", of_version_2(slices=slices)))


@pytest.mark.parametrize("origin", ["mine", None, 3])
def test_an_unknown_origin_is_refused_by_name(origin: object, tmp_path: Path):
    conditions = CONDITIONS | LATER | {"origin": origin}
    with pytest.raises(RecordError, match="origin: expected figshare or phantom, got "):
        CaseRecord.load(write(tmp_path / "a.json", of_version_2(conditions=conditions)))
    with pytest.raises(RecordError, match="origin: expected figshare or phantom, got "):
        RunInfo.load(write(tmp_path / "b.json", RUN | {"origin": origin}))


def test_what_is_written_again_is_of_todays_version_and_the_same(tmp_path: Path):
    record = CaseRecord.load(write(tmp_path / "a.json", of_version_2()))
    record.save(tmp_path / "b.json")
    value = json.loads((tmp_path / "b.json").read_text())
    assert value["schema"] == "btlib-record/4"
    assert "slices" not in value
    assert value["samples"]["columns"]["tumour/hd95"] == SLICES["hd95"]
    assert CaseRecord.load(tmp_path / "b.json") == record


RUN = {
    "tier": "full",
    "command": "pytest",
    "baseline": "b.json",
    "origin": "figshare",
    "data": "d",
    "data_folder": None,
    "image_size": 32,
    "recipe": {"epochs": 3},
    "against": None,
    "strict": False,
    "cases": ["X"],
    "seeds": [7],
    "commit": None,
    "dirty": None,
    "load_seconds": 0.0,
    "started": "now",
}


UNKNOWN = {
    **{"name": None, "specs": {}, "folds": [], "measures": {}, "options": None, "speed_margin": 0.25},
    **{"stages": [], "stopped": {}, "alpha": 0.05, "rescore": False},
}
"""What runs of before do not say, as it is read."""


@pytest.mark.parametrize("task", [FIGSHARE, PHANTOM], ids=["figshare", "phantom"])
def test_a_run_names_its_task_by_origin(task: Any, tmp_path: Path):
    info = RunInfo.load(write(tmp_path / "run.json", RUN | {"origin": task.name}))
    rest = {name: field for name, field in RUN.items() if name != "origin"}
    assert (info.task, info.model_dump(exclude={"task"})) == (task, rest | UNKNOWN)


def test_a_folder_of_before_is_read_whole(tmp_path: Path):
    run, order = RunStore(tmp_path), ("9", "10", "100", "2", "31")
    write(tmp_path / "run.json", RUN)
    write(tmp_path / "split.json", SPLIT)
    write(run.record_path(Cell("X", 7)), of_version_2())
    masks = np.random.default_rng(0).random((5, 4, 13)) > 0.5
    packed = {"numbers": np.array(SLICES["number"]), "packed": np.packbits(masks, axis=2), "width": np.array(13)}
    run.masks_path(Cell("X", 7)).parent.mkdir()
    write_npz(run.masks_path(Cell("X", 7)), packed)
    (record,) = run.records()
    found = run.masks(Cell("X", 7))
    assert found is not None
    assert record.samples is not None
    assert tuple(record.samples.id) == order
    for name, mask in zip(order, masks, strict=True):
        np.testing.assert_array_equal(found.of(name), mask[None])
    assert run.split() is not None
    assert run.lost() == {}


SPLIT = {
    "name": "mine",
    "fingerprint": "f",
    "train": {"slices": [3, 100, 1], "patients": ["a"]},
    "val": {"slices": [], "patients": []},
    "test": {"slices": [20], "patients": None},
    "folds": {"a": 1},
}


def test_a_split_of_slice_numbers(tmp_path: Path):
    assert SplitFile.load(write(tmp_path / "split.json", SPLIT)) == SplitFile(
        name="mine",
        fingerprint="f",
        train=Part(ids=["3", "100", "1"], patients=["a"]),
        val=Part(ids=[], patients=[]),
        test=Part(ids=["20"], patients=None),
        folds={"a": 1},
    )
    with pytest.raises(RecordError, match=r"train\.ids: Field required"):
        SplitFile.load(write(tmp_path / "split.json", SPLIT | {"train": {"slices": 3, "patients": None}}))


def test_masks_of_slice_numbers(tmp_path: Path):
    masks = np.random.default_rng(0).random((3, 5, 13)) > 0.5
    arrays = {"numbers": np.array([7, 3, 12]), "packed": np.packbits(masks, axis=2), "width": np.array(13)}
    write_npz(tmp_path / "a.npz", arrays)
    found = Masks.load(tmp_path / "a.npz")
    for name, mask in zip(("7", "3", "12"), masks, strict=True):
        np.testing.assert_array_equal(found.of(name), mask[None])
    assert found.of("4") is None
    found.save(tmp_path / "b.npz")
    again = Masks.load(tmp_path / "b.npz")
    assert again.ids.tolist() == ["7", "3", "12"]
    np.testing.assert_array_equal(again.packed, found.packed)
    write_npz(tmp_path / "a.npz", arrays | {"numbers": np.array([7, 3])})
    with pytest.raises(RecordError, match=r"expected packed of shape \(2, h, b\), got \(3, 5, 2\)"):
        Masks.load(tmp_path / "a.npz")


def test_maps_of_slice_numbers(tmp_path: Path):
    rng = np.random.default_rng(0)
    arrays = {
        "number": np.array([7, 3]),
        "label": np.array([0, 2]),
        "base": np.array([0.5, 0.9]),
        "total": rng.random((2, 5, 7), dtype=np.float32),
        "average": rng.random((2, 5, 7), dtype=np.float32),
        "identity": np.array("i1"),
    }
    write_npz(tmp_path / "a.npz", arrays)
    found = Maps.load(tmp_path / "a.npz")
    assert (found.ids.tolist(), found.identity) == (["7", "3"], "i1")
    for name in ("label", "base", "total", "average"):
        np.testing.assert_array_equal(getattr(found, name), arrays[name])
    found.save(tmp_path / "b.npz")
    assert Maps.load(tmp_path / "b.npz").ids.tolist() == ["7", "3"]


MEASURES = {"inside": 0.5, "outside": 0.25, "ratio": 2.0, "pointing": 1.0, "tied": 1, "mass": 0.75, "silent": False}
CONTROL = {"pointing": 0.125, "mass": 0.25}
EXPLAINED_SLICE = {
    "number": 31,
    "label": 0,
    "patient": "c",
    "part": "test",
    "base": 0.875,
    "effect": 0.5,
    "engine": "eager",
    "precision": "fp32",
    "deviation": None,
    "faithful": None,
    "notes": [],
    "chance": 0.125,
    "total": MEASURES,
    "average": MEASURES,
    "centre": CONTROL,
    "random_total": CONTROL,
    "random_average": CONTROL,
}
GROUP = {
    "n": 1,
    "unit": "slice",
    "units": 1,
    "ratio": 2.0,
    "hits": 1,
    "hits_low": 0.2,
    "hits_high": 1.0,
    "silent": 0,
    "means": {"mass": {"value": 0.75, "low": None, "high": None}},
}
SANITY = {
    "numbers": [31],
    "draws": 1,
    "patch": 8,
    "steps": [{"layer": "head", "correlation": 0.5, "size": 0.5, "correlations": [0.5]}],
}
EXPLAINED = {
    "schema": "btlib-explain/1",
    "case": "X",
    "identity": "i1",
    "origin": "figshare",
    "dataset_fingerprint": "d",
    "split_name": "slice-seed42",
    "split_fingerprint": "s1",
    "image_size": 32,
    "scaling": "thesis",
    "patch": 8,
    "stride": 4,
    "fill": "mean",
    "slices": [EXPLAINED_SLICE],
    "summary": {"all": GROUP, "meningioma": GROUP | {"unit": "block"}},
    "sanity": SANITY,
    "seconds": 1.5,
    "created": "2026-01-01T00:00:00+00:00",
}


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name not in names}


@pytest.mark.parametrize("sanity", [SANITY, None], ids=["sanity", "none"])
def test_what_maps_said_they_say_still(sanity: dict[str, Any] | None, tmp_path: Path):
    found = Explained.load(write(tmp_path / "a.json", EXPLAINED | {"sanity": sanity}))
    assert (found.task, found.schema_) == (FIGSHARE, "btlib-explain/2")
    value = found.model_dump(mode="json", exclude={"task", "schema_"})
    expected = without(EXPLAINED, "schema", "origin", "slices")
    expected["samples"] = [{**without(EXPLAINED_SLICE, "number"), "id": "31"}]
    expected["sanity"] = None if sanity is None else {**without(sanity, "numbers"), "ids": ["31"]}
    summary = {name: dict(group) for name, group in EXPLAINED["summary"].items()}
    assert summary["all"]["unit"] == "slice", "the word of older versions"
    summary["all"]["unit"] = "sample"
    assert value == expected | {"summary": summary}
    found.save(tmp_path / "b.json")
    assert Explained.load(tmp_path / "b.json") == found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"origin": "mine"}, "origin: expected figshare or phantom"),
        ({"slices": None}, "samples"),
        ({"slices": [EXPLAINED_SLICE | {"number": "31"}]}, r"samples\.0\.(id|number)"),
        ({"schema": "btlib-explain/0"}, "schema"),
    ],
)
def test_maps_that_are_damaged_are_refused_by_name(change: dict[str, Any], told: str, tmp_path: Path):
    with pytest.raises(RecordError, match=told):
        Explained.load(write(tmp_path / "a.json", EXPLAINED | change))
