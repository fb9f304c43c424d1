"""Records hold what they say: strict values, the threshold that was used, and how a model was trained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.runs import CaseRecord, ModelInfo, RunFolder, RunInfo, Speed, Timing
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
def record(folder: RunFolder) -> CaseRecord:
    return CaseRecord.load(folder.record_path("X", 7))


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
        *(
            (model(source), source != "given")
            for source in ("trained", "resumed", "loaded", "thesis-checkpoint", "given")
        ),
    ],
)
def test_only_a_ready_made_model_has_no_recipe(record: CaseRecord, info: ModelInfo | None, trained: bool):
    recipe: Callable[[CaseRecord], Any] = STORED["a run"].model_copy(update={"recipe": {"epochs": 3}}).recipe_of  # type: ignore[attr-defined]
    assert recipe(record.model_copy(update={"model": info})) == ({"epochs": 3} if trained else {})


def test_a_record_of_version_1_without_conditions_is_refused_by_name(record: CaseRecord, tmp_path: Path):
    fields = json.loads(record.model_dump_json()) | {"schema": "btlib-record/1", "conditions": 3}
    (tmp_path / "a.json").write_text(json.dumps(fields))
    with pytest.raises(RecordError, match=r"a\.json: (schema|conditions)"):
        CaseRecord.load(tmp_path / "a.json")
