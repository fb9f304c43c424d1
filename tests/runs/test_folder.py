from collections.abc import Callable
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.baselines import Measured, judge
from btlib.cases import Case, Work
from btlib.errors import RecordError
from btlib.runs import CaseRecord, RunFolder, RunInfo
from btlib.runs.accept import as_baseline
from btlib.runs.execute import run_case

Make = Callable[..., Case]


@pytest.fixture
def folder(tmp_path: Path, work: Work, make_case: Make) -> RunFolder:
    """The folder of a run of the cases X and Y."""
    run = RunFolder(tmp_path / "run")
    run.save_info(RunInfo(tier="smoke", command="pytest", baseline="b", origin="phantom", data="d", started="now"))
    for name in "XY":
        run_case(make_case(name), work, "smoke", run)
    return run


def test_a_run_is_read_as_it_was_written(folder: RunFolder):
    assert folder.info().tier == "smoke"
    assert [record.case for record in folder.records()] == ["X", "Y"]


def test_speeds_of_a_case_come_together(folder: RunFolder):
    folder.add_speed("X", "inference, batch 1", 10.0, 5)
    folder.add_speed("X", "inference, batch 16", 30.0, 3)
    assert folder.speeds()["X"].images_per_second == {"inference, batch 1": 10.0, "inference, batch 16": 30.0}


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: text[: len(text) // 2], "Invalid JSON"),
        (lambda text: text.replace("btlib-record/1", "btlib-record/9"), "schema"),
        (lambda text: text.replace('"seed": 7', '"seed": "7"'), "seed"),
        (lambda text: "", "Invalid JSON"),
    ],
    ids=["cut", "another schema", "another type", "empty"],
)
def test_a_damaged_record_is_named(folder: RunFolder, damage: Callable[[str], str], problem: str):
    path = folder.record_path("X")
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=problem) as caught:
        folder.records()
    assert str(path) in str(caught.value)


def test_a_folder_that_is_no_run(tmp_path: Path):
    with pytest.raises(RecordError, match=r"not the folder of a run: it has no run\.json"):
        RunFolder(tmp_path).info()


def test_a_run_becomes_the_baseline_that_it_then_passes(folder: RunFolder, tmp_path: Path):
    baseline = as_baseline(folder.path, "mine", "because", 0.05)
    baseline.save(tmp_path / "mine.json")
    baseline = Baseline.load(tmp_path / "mine.json")
    assert (baseline.name, baseline.kind, baseline.reason, sorted(baseline.cases)) == (
        "mine",
        "measured",
        "because",
        ["X", "Y"],
    )
    for record in folder.records():
        assert record.slices is not None
        for metric in record.metrics:
            verdict = judge(Measured(record.case, record.conditions, record.slices), metric, baseline)
            assert (verdict.status, verdict.difference, verdict.margin) == ("pass", 0, 0.05)


def test_a_failed_case_makes_no_baseline(folder: RunFolder):
    record = folder.records()[1]
    folder.save_record(record.model_copy(update={"outcome": "error", "error": "it broke"}))
    with pytest.raises(RecordError, match="case Y failed: it broke"):
        as_baseline(folder.path, "mine", "because", 0.05)


def test_cases_of_different_conditions_make_no_baseline(folder: RunFolder):
    record = folder.records()[1]
    other = record.conditions.model_copy(update={"image_size": 64})
    folder.save_record(record.model_copy(update={"conditions": other}))
    with pytest.raises(RecordError, match="case Y was made under other conditions than case X"):
        as_baseline(folder.path, "mine", "because", 0.05)


def test_a_run_without_records_makes_no_baseline(tmp_path: Path):
    run = RunFolder(tmp_path)
    run.save_info(RunInfo(tier="smoke", command="pytest", baseline="b", origin="phantom", data="d", started="now"))
    with pytest.raises(RecordError, match="has no records"):
        as_baseline(tmp_path, "mine", "because", 0.05)


def test_a_write_that_is_cut_short_leaves_no_record(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    path = folder.record_path("X")
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        folder.save_record(CaseRecord.load(path).model_copy(update={"seed": 8}))
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["X.json", "Y.json"]
