import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib import files
from btlib.api.timings import Timings, timings
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.explain.explained import Explained
from btlib.runs import CaseRecord, RunInfo, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.results import as_results
from btlib.runs.split import Part, SplitFile


def test_a_run_is_read_as_it_was_written(folder: RunStore):
    assert folder.info().tier == "smoke"
    assert [record.case for record in folder.records()] == ["X", "Y"]


def test_seeds_of_a_case_have_records_of_their_own(folder: RunStore):
    for seed in (10, 9):
        folder.save_record(CaseRecord.load(folder.record_path(Cell("X", 7))).model_copy(update={"seed": seed}))
    assert [(record.case, record.seed) for record in folder.records()] == [("X", 7), ("X", 9), ("X", 10), ("Y", 7)]
    first, second = as_results(folder.records())
    assert (first.case, first.seeds, second.seeds) == ("X", (7, 9, 10), (7,))


@pytest.mark.parametrize("kind", ["record_path", "curves_path", "masks_path"])
def test_every_cell_has_a_file_of_its_own(kind: str, tmp_path: Path):
    """Also where names are so long that they are cut."""
    place = getattr(RunStore(tmp_path), kind)
    names = ["X", "Y", "X-seed1", "a b", "a" * 120, "a" * 121, "a" * 300, "a" * 299 + "b", "ä" * 120, "ä" * 119 + "ö"]
    folds = (None, "patient-5fold-1", "patient-5fold-11", "a/b")
    paths = [place(Cell(name, seed, fold)) for name in names for seed in (1, 10, 11) for fold in folds]
    assert len(set(paths)) == len(paths)
    assert {path.parent.parent for path in paths} == {tmp_path}
    assert max(len(path.name.encode()) for path in paths) < 200
    assert place(Cell("a b", 1)).name.startswith("a b-seed1."), "a name stays readable"
    assert place(Cell("a b", 1, "cvind-2")).name.startswith("a b-cvind-2-seed1.")
    assert place(Cell("a" * 120, 1)).name.startswith("a" * 120 + "-seed1.")


def test_masks_are_there_before_the_record_that_says_so(folder: RunStore, monkeypatch: pytest.MonkeyPatch):
    """Another process takes a record for a case that is done."""
    record, there = CaseRecord.load(folder.record_path(Cell("X", 7))), []
    masks = folder.masks(Cell("X", 7))
    assert masks is not None
    save = CaseRecord.save

    def saving(self: CaseRecord, path: Path) -> None:
        there.append(folder.masks_path(Cell("X", 8)).exists())
        save(self, path)

    monkeypatch.setattr(CaseRecord, "save", saving)
    folder.save_record(record.model_copy(update={"seed": 8}), masks=masks)
    assert there == [True]
    assert folder.masks(Cell("X", 9)) is None


def test_curves_are_copied_where_there_are_some(folder: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    folder.save_record(record, tmp_path / "nowhere.csv")
    assert not folder.curves_path(Cell("X", 7)).exists()
    (tmp_path / "curves.csv").write_text("epoch\n1\n")
    folder.save_record(record, tmp_path / "curves.csv")
    assert folder.curves_path(Cell("X", 7)).read_text() == "epoch\n1\n"

    def half(source: Path, target: Path) -> None:
        target.write_text("epoch")
        raise OSError("no space left")

    monkeypatch.setattr("shutil.copyfile", half)
    for seed in (7, 8):
        with pytest.raises(OSError, match="no space left"):
            folder.save_record(record.model_copy(update={"seed": seed}), tmp_path / "curves.csv")
    assert [path.name for path in folder.curves_path(Cell("X", 7)).parent.iterdir()] == ["X-seed7.csv"]
    assert folder.curves_path(Cell("X", 7)).read_text() == "epoch\n1\n"


def with_speed(folder: RunStore, case: str, speed: Speed) -> None:
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    folder.save_record(record.model_copy(update={"case": case, "speed": speed}))


def test_splits_are_read_where_they_were_written(folder: RunStore):
    part = Part(ids=["1"], patients=None)
    one, two = (SplitFile(name=name, fingerprint="f", train=part, val=part, test=part) for name in ("a/b", "c"))
    assert (folder.split(), folder.split("a/b"), folder.split("c")) == (None, None, None)
    for split in (one, two):
        folder.save_split(split, split.name)
    assert (folder.split(), folder.split("a/b"), folder.split("c")) == (None, one, two)
    folder.save_split(two)
    assert folder.split() == two


def test_the_null_run_is_that_of_any_case(folder: RunStore):
    noise = Timing(images=1, seconds=[1])
    assert (folder.noise(), folder.speeds(), folder.explained()) == (None, {}, {})
    with_speed(folder, "X", Speed(case="X"))
    with_speed(folder, "Y", Speed(case="Y", noise=noise))
    assert folder.noise() == noise


def test_speeds_of_a_run_of_before_lie_in_files_of_their_own(folder: RunStore):
    older = {case: Speed(case=case, figures={"inference": Timing(images=1, seconds=[0.5])}) for case in "XYZ"}
    for case, speed in older.items():
        speed.save(folder.path / "speed" / f"{case}.json")
    noise = Timing(images=16, seconds=[1.0])
    noise.save(folder.path / "noise.json")
    assert (folder.speeds(), folder.noise()) == (older, noise)
    measured = Speed(case="Y", figures={"inference": Timing(images=1, seconds=[0.1])}, noise=noise)
    with_speed(folder, "Y", measured)
    assert folder.speeds() == older | {"Y": measured}, "what a record says is newer"


def explained_of(case: str, seconds: float) -> Explained:
    fields = {"identity": None, "task": PHANTOM, "dataset_fingerprint": "d", "split_name": "s"}
    sizes = {"image_size": 32, "scaling": "thesis", "patch": 8, "stride": 4, "fill": "mean"}
    rest = {"split_fingerprint": "f", "samples": [], "summary": {}, "created": "now"}
    return Explained(case=case, seconds=seconds, **fields | sizes | rest)  # type: ignore[arg-type]


def test_what_maps_say_is_found_by_case(folder: RunStore):
    found = {case: explained_of(case, 1.0) for case in ("b/c", "a")}
    for case, one in found.items():
        one.save(folder.explain_place.file(case, "json"))
    assert folder.explained() == found


def test_a_failed_seed_fails_its_case(folder: RunStore):
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    folder.save_record(record.model_copy(update={"seed": 8, "outcome": "error", "error": "it broke", "samples": None}))
    first, second = as_results(folder.records())
    assert (first.failure, first.message, second.failure) == ("error", "seed 8: it broke", None)


def test_seeds_of_different_conditions_are_no_result(folder: RunStore):
    record = CaseRecord.load(folder.record_path(Cell("X", 7)))
    other = record.conditions.model_copy(update={"image_size": 64})
    folder.save_record(record.model_copy(update={"seed": 8, "conditions": other}))
    assert as_results(folder.records())[0].message == "seed 7 and seed 8 were measured under different conditions"


@pytest.mark.parametrize("name", ["<script>", "a/b", "..", "A seed1", "Ä"])
def test_a_case_may_be_called_anything(folder: RunStore, name: str):
    with_speed(folder, name, Speed(case=name))
    assert folder.record_path(Cell(name, 7)).parent == folder.path / "records"
    assert name in {record.case for record in folder.records()}
    assert name in folder.speeds()


def test_where_the_time_went(folder: RunStore):
    """Everything that has no other purpose is the harness's own; seconds of all cases and seeds are added."""
    for case in "XY":
        record = CaseRecord.load(folder.record_path(Cell(case, 7)))
        folder.save_record(record.model_copy(update={"prepare_seconds": None, "predict_seconds": None}))
        more = {"seed": 99, "prepare_seconds": 20.0, "predict_seconds": 5.0, "seconds": 70.0}
        folder.save_record(record.model_copy(update=more | {"speed": Speed(case=case, seconds=4.0)}))
        explained_of(case, 1.5).save(folder.explain_place.file(case, "json"))
    folder.save_info(folder.info().model_copy(update={"load_seconds": 8.0}))
    found = timings(folder, 100.0)
    assert found == Timings(whole=100.0, load=8.0, prepare=40.0, predict=10.0, speed=8.0, explain=3.0)
    assert found.harness == 100 - 8 - 40 - 10 - 8 - 3
    assert found.line() == (
        "time:         100 s: data 8.0 %, training and loading 40.0 %, predicting 10.0 %, measuring speed 8.0 %, "
        "explaining 3.0 %, harness 31.0 %"
    )


def sealed(text: str, old: str, new: str) -> str:
    """The record as another version of btlib might have written it."""
    fields = files.unsealed(json.loads(text))
    return json.dumps(files.sealed(json.loads(json.dumps(fields).replace(old, new))))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: text[: len(text) // 2], "is not JSON"),
        (lambda text: text.replace('"seed": 7', '"seed": 8'), "digest: does not match the content"),
        (lambda text: sealed(text, "btlib-record/4", "btlib-record/9"), "schema"),
        (lambda text: sealed(text, '"seed": 7', '"seed": "7"'), "seed"),
        (lambda text: "", "is not JSON"),
        (lambda text: "[]", "expected a JSON object, found list"),
    ],
    ids=["cut", "another value", "another schema", "another type", "empty", "no object"],
)
def test_a_damaged_record_is_named(folder: RunStore, damage: Callable[[str], str], problem: str):
    path = folder.record_path(Cell("X", 7))
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=problem) as caught:
        folder.records()
    assert str(path) in str(caught.value)


def test_a_folder_that_is_no_run(tmp_path: Path):
    with pytest.raises(RecordError, match=r"not the folder of a run: it contains no run\.json"):
        RunStore(tmp_path).info()


def test_a_write_that_is_cut_short_leaves_no_record(folder: RunStore, monkeypatch: pytest.MonkeyPatch):
    path = folder.record_path(Cell("X", 7))
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        folder.save_record(CaseRecord.load(path).model_copy(update={"seed": 8}))
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["X-seed7.json", "Y-seed7.json"]


@pytest.mark.parametrize(
    ("one", "other", "read"),
    [
        ("records/X-seed7.json", "records/Y-seed7.json", RunStore.records),
        ("records/X-seed7.json", "records/X-seed8.json", RunStore.records),
        ("speed/X.json", "speed/Y.json", RunStore.speeds),
        ("explain/X.json", "explain/Y.json", RunStore.explained),
    ],
)
def test_a_whole_file_of_another_is_refused(folder: RunStore, one: str, other: str, read: Callable[[RunStore], object]):
    """It would count twice, or be taken for the other's."""
    Speed(case="X").save(folder.path / "speed" / "X.json")
    explained_of("X", 1.0).save(folder.explain_place.file("X", "json"))
    shutil.copy(folder.path / one, folder.path / other)
    with pytest.raises(RecordError, match=r"belongs to case 'X'.*, whose file is X") as caught:
        read(folder)
    assert caught.value.where == str(folder.path / other)


STAGED = RunInfo(
    **{"tier": "smoke", "command": "c", "baseline": "b", "task": PHANTOM, "data": "d", "started": "now"},
    **{"cases": ["X", "Y"], "seeds": [1, 2, 3], "stages": [1, 3]},
)


def test_where_a_case_stopped_is_read_with_the_facts_of_the_run(tmp_path: Path):
    store = RunStore(tmp_path)
    store.save_info(STAGED.model_copy(update={"stopped": {"Y": 1}}))
    assert store.info().stopped == {}, "it is in a file of the case"
    store.save_stop("X", 1)
    assert store.info() == STAGED.ended("X", 1)
    store.save_info(STAGED)
    assert store.info().stopped == {"X": 1}, "another worker that opens the run does not undo it"
    store.save_stop("X", None)
    store.save_stop("X", None)
    assert store.info() == STAGED == STAGED.ended("X", 3)
    assert (STAGED.looks, STAGED.model_copy(update={"stages": []}).looks) == (2, 1)


@pytest.mark.parametrize("spoilt", ["damaged", "of another case", "of no stage", "of the last stage", "not planned"])
def test_a_stop_that_cannot_be_trusted_is_none(tmp_path: Path, spoilt: str):
    store = RunStore(tmp_path)
    store.save_info(STAGED)
    store.save_stop("X", {"of no stage": 2, "of the last stage": 3}.get(spoilt, 1))
    path = store.stop_path("X")
    if spoilt == "damaged":
        path.write_text(path.read_text().replace("1", "2"))
    elif spoilt == "of another case":
        path.rename(store.stop_path("Y"))
    elif spoilt == "not planned":
        path.rename(store.stop_path("Z"))
    assert store.info().stopped == {}
    assert store.lost() == {"X": [Cell("X", 1)], "Y": [Cell("Y", 1)]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stages": [1, 2]}, "stages: expected increasing numbers up to 3 seeds"),
        ({"stages": [3, 1]}, "stages: expected increasing"),
        ({"stages": [1, 1, 3]}, "stages: expected increasing"),
        ({"stages": [0, 3]}, "stages: expected increasing"),
        ({"stopped": {"X": 2}}, "stopped: expected one of the stages before the last one, got"),
        ({"stopped": {"X": 3}}, "stopped: expected one of the stages"),
        ({"stages": [], "stopped": {"X": 1}}, "stopped: expected one of the stages"),
    ],
)
def test_stages_that_contradict_the_seeds_are_refused(changes: dict[str, object], told: str):
    with pytest.raises(ValueError, match=told):
        RunInfo(**STAGED.model_dump() | changes)
