from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.errors import RecordError
from btlib.runs import CaseRecord, RunFolder, RunInfo, Timing
from btlib.runs.results import as_results
from btlib.runs.spent import spent


def test_a_run_is_read_as_it_was_written(folder: RunFolder):
    assert folder.info().tier == "smoke"
    assert [record.case for record in folder.records()] == ["X", "Y"]


def test_seeds_of_a_case_have_records_of_their_own(folder: RunFolder):
    for seed in (9, 8):
        folder.save_record(CaseRecord.load(folder.record_path("X", 7)).model_copy(update={"seed": seed}))
    assert [(record.case, record.seed) for record in folder.records()] == [("X", 7), ("X", 8), ("X", 9), ("Y", 7)]
    first, second = as_results(folder.records())
    assert (first.case, first.seeds, second.seeds) == ("X", (7, 8, 9), (7,))


def test_a_failed_seed_fails_its_case(folder: RunFolder):
    record = CaseRecord.load(folder.record_path("X", 7))
    folder.save_record(record.model_copy(update={"seed": 8, "outcome": "error", "error": "it broke", "slices": None}))
    first, second = as_results(folder.records())
    assert (first.failure, first.message, second.failure) == ("error", "seed 8: it broke", None)


def test_seeds_of_different_conditions_are_no_result(folder: RunFolder):
    record = CaseRecord.load(folder.record_path("X", 7))
    other = record.conditions.model_copy(update={"image_size": 64})
    folder.save_record(record.model_copy(update={"seed": 8, "conditions": other}))
    assert as_results(folder.records())[0].message == "seeds 7 and 8 were measured under different conditions"


@pytest.mark.parametrize("name", ["<script>", "a/b", "..", "A seed1", "Ä"])
def test_a_case_may_be_called_anything(folder: RunFolder, name: str):
    folder.save_record(CaseRecord.load(folder.record_path("X", 7)).model_copy(update={"case": name}))
    folder.add_timing(name, "inference, batch 1", Timing(images=1, seconds=[0.1]), 1.0, {})
    assert folder.record_path(name, 7).parent == folder.path / "records"
    assert name in {record.case for record in folder.records()}
    assert name in folder.speeds()


def test_speeds_of_a_case_come_together(folder: RunFolder):
    folder.add_timing("X", "inference, batch 1", Timing(images=1, seconds=[0.1]), 1.0, {})
    folder.add_timing("X", "inference, batch 16", Timing(images=16, seconds=[0.5]), 2.0, {"machine": "this"})
    speed = folder.speeds()["X"]
    assert {name: t.images_per_second for name, t in speed.figures.items()} == {
        "inference, batch 1": pytest.approx(10),
        "inference, batch 16": pytest.approx(32),
    }
    assert (speed.seconds, speed.machine) == (3.0, "this")


def test_where_the_time_went(folder: RunFolder):
    """Everything that is not loading, preparing, predicting or measuring speed is the harness's own."""
    record = CaseRecord.load(folder.record_path("X", 7))
    known = sum((one.prepare_seconds or 0) + (one.predict_seconds or 0) for one in folder.records())
    folder.save_record(record.model_copy(update={"seed": 99, "prepare_seconds": 50.0, "predict_seconds": 20.0}))
    folder.add_timing("X", "inference, batch 1", Timing(images=1, seconds=[0.1]), 10.0, {})
    folder.save_info(
        RunInfo(tier="smoke", command="", baseline="", origin="phantom", data="", load_seconds=8.0, started="")
    )
    found = spent(folder, 100.0)
    assert found.harness == pytest.approx(100 - 8 - 50 - 20 - 10 - known)
    assert "measuring speed 10.0 %" in found.line()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: text[: len(text) // 2], "Invalid JSON"),
        (lambda text: text.replace("btlib-record/2", "btlib-record/9"), "schema"),
        (lambda text: text.replace('"seed": 7', '"seed": "7"'), "seed"),
        (lambda text: "", "Invalid JSON"),
    ],
    ids=["cut", "another schema", "another type", "empty"],
)
def test_a_damaged_record_is_named(folder: RunFolder, damage: Callable[[str], str], problem: str):
    path = folder.record_path("X", 7)
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=problem) as caught:
        folder.records()
    assert str(path) in str(caught.value)


def test_a_folder_that_is_no_run(tmp_path: Path):
    with pytest.raises(RecordError, match=r"not the folder of a run: it has no run\.json"):
        RunFolder(tmp_path).info()


def test_a_write_that_is_cut_short_leaves_no_record(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    path = folder.record_path("X", 7)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        folder.save_record(CaseRecord.load(path).model_copy(update={"seed": 8}))
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["X-seed7.json", "Y-seed7.json"]
