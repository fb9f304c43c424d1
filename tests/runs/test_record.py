"""Records hold what they say: strict values, the threshold that was used, and how a model was trained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.runs import CaseRecord, ModelInfo, RunInfo, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.split import Part, SplitFile

PART = Part(ids=["10", "9"], patients=None)
STORED = {
    "a run": RunInfo(tier="smoke", command="c", baseline="b", task=PHANTOM, data="d", started="now"),
    "a timing": Timing(images=2, seconds=[0.5]),
    "a speed": Speed(case="X", figures={"a": Timing(images=2, seconds=[0.5])}, seconds=1.5),
    "a split": SplitFile(name="mine", fingerprint="s", train=PART, val=PART, test=PART, folds={"P": 1}),
}


@pytest.mark.parametrize("value", STORED.values(), ids=STORED)
def test_what_is_written_is_read(value: Any, tmp_path: Path):
    value.save(tmp_path / "a.json")
    assert type(value).load(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text(encoding="utf-8").endswith("}\n")
    for name in type(value).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, getattr(value, name))


@pytest.mark.parametrize("value", STORED.values(), ids=STORED)
def test_nothing_unknown_and_no_other_type_is_taken(value: Any, tmp_path: Path):
    path = tmp_path / "a.json"
    fields = json.loads(value.model_dump_json())
    wrong = {name: [field] for name, field in fields.items()} | {"strange": 1}
    for name, field in wrong.items():
        path.write_text(json.dumps(fields | {name: field}))
        with pytest.raises(RecordError) as caught:
            type(value).load(path)
        assert (caught.value.where, caught.value.problem.split(".")[0].split(":")[0]) == (str(path), name)


@pytest.mark.parametrize("number", ["NaN", "Infinity", '"0.5"'])
def test_no_number_that_is_none(number: str, tmp_path: Path):
    (tmp_path / "a.json").write_text(f'{{"case": "X", "seconds": {number}}}')
    with pytest.raises(RecordError, match="seconds: "):
        Speed.load(tmp_path / "a.json")
    with pytest.raises(ValidationError):
        Speed(case="X", seconds=float("inf"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(RecordError, match=r"a\.json: cannot be read: "):
        Speed.load(tmp_path / "a.json")


def model(source: str = "trained", **details: Any) -> ModelInfo:
    return ModelInfo(source=source, fingerprint=None, seconds=0.0, details=details, notes=[])  # type: ignore[arg-type]


@pytest.fixture
def record(folder: RunStore) -> CaseRecord:
    return CaseRecord.load(folder.record_path(Cell("X", 7)))


@pytest.mark.parametrize(
    ("info", "threshold"), [(None, 0.65), (model(), 0.65), (model(threshold=0.3), 0.3), (model(threshold=0), 0.0)]
)
def test_the_threshold_is_the_models_own_or_else_the_protocols(
    record: CaseRecord, info: ModelInfo | None, threshold: float
):
    assert record.model_copy(update={"model": info}).threshold == threshold


@pytest.mark.parametrize(
    ("info", "trained"),
    [
        (None, True),
        *((model(source), source != "given") for source in ("trained", "resumed", "loaded", "file", "given")),
    ],
)
def test_only_a_ready_made_model_has_no_recipe(record: CaseRecord, info: ModelInfo | None, trained: bool):
    recipe: Callable[[CaseRecord], Any] = STORED["a run"].model_copy(update={"recipe": {"epochs": 3}}).recipe_of  # type: ignore[attr-defined]
    assert recipe(record.model_copy(update={"model": info})) == ({"epochs": 3} if trained else {})


def test_a_case_may_have_other_values_than_the_run(record: CaseRecord):
    """Its record says which; all else is the run's, and what is no mapping is ignored."""
    info = STORED["a run"].model_copy(update={"recipe": {"epochs": 3, "drifting_batch_norm": True}})
    for changes, expected in (
        ({"drifting_batch_norm": False}, {"epochs": 3, "drifting_batch_norm": False}),
        ({"new": 1}, {"epochs": 3, "drifting_batch_norm": True, "new": 1}),
        ("none", {"epochs": 3, "drifting_batch_norm": True}),
    ):
        own = model("trained").model_copy(update={"details": {"recipe_changes": changes}})
        assert info.recipe_of(record.model_copy(update={"model": own})) == expected  # type: ignore[attr-defined]
    assert info.recipe == {"epochs": 3, "drifting_batch_norm": True}  # type: ignore[attr-defined]


def test_a_record_of_version_1_without_conditions_is_refused_by_name(record: CaseRecord, tmp_path: Path):
    fields = json.loads(record.model_dump_json()) | {"schema": "btlib-record/1", "conditions": 3}
    (tmp_path / "a.json").write_text(json.dumps(fields))
    with pytest.raises(RecordError, match=r"a\.json: (schema|conditions)"):
        CaseRecord.load(tmp_path / "a.json")


OF_VERSION_3 = """{
 "schema": "btlib-record/3",
 "case": "X",
 "title": "case X",
 "tier": "full",
 "seed": 7,
 "metrics": {"dice": 1},
 "outcome": "done",
 "error": null,
 "conditions": {
  "task": {"name": "two", "structures": ["left", "right"], "classes": [], "channels": ["t1"]},
  "truth_fingerprint": "t1",
  "input_fingerprint": "i1",
  "split_name": "slice-seed42",
  "split_fingerprint": "s1",
  "n_test": 2,
  "test_class_counts": [],
  "image_size": 32,
  "scaling": "thesis",
  "threshold": 0.65,
  "epsilon": 1e-06,
  "patients": {"source": "files", "n_test": 2, "seen": 1},
  "independent": false
 },
 "samples": {
  "id": ["9", "10"],
  "label": null,
  "patient": ["a", null],
  "volume": null,
  "classes": [],
  "structures": ["left", "right"],
  "columns": {
   "left/truth_area": [40, 55],
   "left/intersection": [31, 0],
   "left/pred_area": [35, 0],
   "right/truth_area": [4, 5],
   "right/intersection": [3, 0],
   "right/pred_area": [3, 2]
  }
 },
 "summary": {"n": 2},
 "threshold_curve": null,
 "curves_sha256": null,
 "batch_mean_size": 2,
 "images_per_second": 12.5,
 "peak_memory_mib": null,
 "seconds": 3.0,
 "prepare_seconds": 2.0,
 "predict_seconds": 0.5,
 "model": {
  "source": "thesis-checkpoint",
  "fingerprint": "m",
  "seconds": 0.0,
  "details": {"threshold": 0.4, "checkpoint": "a.pth"},
  "notes": ["mind this"]
 },
 "code": {"file": "mine.py", "commit": "abc", "dirty": false, "digest": "d"},
 "environment": {"numpy": "1"},
 "created": "2026-01-01T00:00:00+00:00"
}"""
"""As the version before this wrote it, when speed lay in files of its own."""


def test_a_record_of_version_3_is_one_of_version_4(tmp_path: Path):
    (tmp_path / "a.json").write_text(OF_VERSION_3)
    found, old = CaseRecord.load(tmp_path / "a.json"), json.loads(OF_VERSION_3)
    assert (found.schema_, found.cell, found.measured) == ("btlib-record/4", Cell("X", 7), ["quality"])
    assert (found.fold, found.speed, found.planted, found.problems) == (None, None, {}, {})
    assert found.model is not None
    assert (found.model.source, found.threshold) == ("file", 0.4)
    value = found.model_dump(mode="json")
    new = {"schema", "fold", "measured", "speed", "planted", "problems", "model", "code", "conditions"}
    assert {name: value[name] for name in old if name not in new} == {n: old[n] for n in old if n not in new}
    assert value["model"] == old["model"] | {"source": "file", "file_digest": None}
    assert {n: value["conditions"][n] for n in old["conditions"] if n != "task"} == {
        n: field for n, field in old["conditions"].items() if n != "task"
    }
    assert {name: value["code"][name] for name in old["code"]} == old["code"]
    found.save(tmp_path / "b.json")
    assert CaseRecord.load(tmp_path / "b.json") == found


@pytest.mark.parametrize("version", ["0", "5", "4.0"])
def test_a_record_of_no_known_version_is_refused(version: str, tmp_path: Path):
    (tmp_path / "a.json").write_text(OF_VERSION_3.replace("btlib-record/3", f"btlib-record/{version}"))
    with pytest.raises(RecordError, match="schema: "):
        CaseRecord.load(tmp_path / "a.json")


def test_planted_faults_are_of_the_task_of_the_record(record: CaseRecord, tmp_path: Path):
    assert record.samples is not None
    table = record.samples.model_dump()
    record.model_copy(update={"planted": {"a fault": record.samples}}).save(tmp_path / "a.json")
    assert CaseRecord.load(tmp_path / "a.json").planted == {"a fault": record.samples}
    fields = json.loads(record.model_dump_json()) | {"planted": {"a fault": table | {"classes": ["x", "y", "z"]}}}
    (tmp_path / "b.json").write_text(json.dumps(fields))
    with pytest.raises(RecordError):
        CaseRecord.load(tmp_path / "b.json")


def test_a_record_knows_its_cell(record: CaseRecord):
    changed = record.model_copy(update={"fold": "cvind-2", "measured": ["quality", "inference"]})
    assert changed.cell == Cell("X", 7, "cvind-2")
    assert changed.cell.measures == {"quality", "inference"}
