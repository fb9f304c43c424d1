"""The page of a run of which a file is damaged: it is made, names the file, and says that all is well only if it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app
from btlib.gate.acceptance import propose
from btlib.reporting.html import write_page
from btlib.runs import RunStore
from btlib.runs.cell import Cell

from .reader import Reader

pytestmark = pytest.mark.usefixtures("undrawn")

HOLDS = "Every case that was compared with a baseline passed the comparison."
NUMBERS = ("records/A-seed7.json", "speed/A.json", "noise.json", "base.json")
PICTURES = ("predictions/A-seed7.npz", "pictures.npz", "curves/A-seed7.csv", "explain/B.npz", "explain/B.json")


@pytest.fixture(scope="module")
def whole(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cases that hold, with all that a run may have."""
    home = tmp_path_factory.mktemp("whole")
    path = make_run(home / "run", names=("A", "B"), explained=3, baseline="base.json")
    propose(path, "base", "for a test").new.save(path / "base.json")
    (record,) = (record for record in RunStore(path).records() if record.case == "A")
    assert record.speed is not None
    RunStore(path).save_record(record.model_copy(update={"speed": None}))  # in files of its own, as before
    record.speed.save(path / "speed" / "A.json")
    record.speed.figures["inference, batch 16"].save(path / "noise.json")
    return path


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> RunStore:
    """A copy, to be damaged; its baseline is found in its own folder."""
    return RunStore(shutil.copytree(whole, tmp_path / "run"))


def report(run: RunStore) -> Reader:
    """The page that the command makes, which must not fail."""
    done = CliRunner().invoke(app, ["report", str(run.path), "--folder", str(run.path)])
    assert done.exit_code == 0, done.output
    return Reader((run.path / "index.html").read_text())


def test_the_whole_run_holds_and_has_no_problem(damaged: RunStore):
    page = report(damaged)
    assert HOLDS in page.text["verdicts"]
    assert json.loads((damaged.path / "report.json").read_text())["problems"] == []


@pytest.mark.parametrize("name", [*NUMBERS, *PICTURES])
def test_a_file_cut_short_is_named(damaged: RunStore, name: str):
    path = damaged.path / name
    path.write_bytes(path.read_bytes()[: 2 * path.stat().st_size // 3])
    page = report(damaged)
    told = "\n".join(page.text.values())
    assert str(path) in told
    assert "Hint" in told
    assert (HOLDS in told) == (name in PICTURES)
    if name != "base.json":  # of which the verdicts say it
        assert any(str(path) in p for p in json.loads((damaged.path / "report.json").read_text())["problems"])
    assert any(tag == "li" and "data-kinds" in a for tag, a in page.tags) or name == "pictures.npz"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("records/A-seed7.json", "records/A-seed8.json"),
        ("records/A-seed7.json", "records/B-seed7.json"),
        ("speed/A.json", "speed/B.json"),
        ("explain/B.json", "explain/A.json"),
    ],
)
def test_a_whole_file_of_another_is_named_and_counts_once(damaged: RunStore, one: str, other: str):
    shutil.copy(damaged.path / one, damaged.path / other)
    page = report(damaged)
    assert f"{other}: belongs to case '{Path(one).name[0]}'" in "\n".join(page.text.values()).replace("\u2060", "")
    assert (HOLDS in page.text["verdicts"]) == other.startswith("explain")  # maps are no numbers


@pytest.mark.parametrize("content", [b"", bytes(range(256))], ids=["empty", "other bytes"])
def test_many_files_damaged_at_once_are_all_named(damaged: RunStore, content: bytes):
    names = (*NUMBERS[1:], *PICTURES)  # without the record, nothing else of its case is looked at
    for name in names:
        (damaged.path / name).write_bytes(content)
    told = "\n".join(report(damaged).text.values())
    assert [name for name in names if str(damaged.path / name) not in told] == []


@pytest.mark.parametrize("name", ["records/A-seed7.json", "explain/B.npz", "explain/B.json", "predictions/A-seed7.npz"])
def test_a_file_that_is_gone_is_named_where_others_tell_of_it(damaged: RunStore, name: str):
    (damaged.path / name).unlink()
    page = report(damaged)
    told = "\n".join(page.text.values())
    if name.startswith("records"):
        assert "selected for this run, but not measured: A" in told
        assert HOLDS not in told
    else:
        assert str(damaged.path / name) in told


def test_a_lost_seed_is_no_silence(damaged: RunStore):
    """A case of which one seed's record is damaged or gone is shown with the others', and the page says so."""
    folder = damaged
    folder.save_info(folder.info().model_copy(update={"seeds": [7, 8, 9]}))
    record = next(r for r in folder.records() if r.case == "A")
    folder.save_record(record.model_copy(update={"seed": 8}))
    folder.save_record(record.model_copy(update={"seed": 9}))
    folder.record_path(Cell("A", 8)).write_text("{")
    folder.record_path(Cell("A", 9)).unlink()
    page = report(folder)
    assert str(folder.record_path(Cell("A", 8))) in page.text["verdicts"]
    assert f"{folder.record_path(Cell('A', 9))}: expected a record, found no file" in page.text["verdicts"]
    assert HOLDS not in page.text["verdicts"]
    assert [a["data-label"] for tag, a in page.tags if tag == "tr" and "data-label" in a] == ["A", "B"]
    summary = (folder.path / "summary.md").read_text()
    assert "could not be read" in summary


def test_a_record_that_cannot_be_read_is_not_called_unmeasured(damaged: RunStore):
    damaged.record_path(Cell("A", 7)).write_text("{")
    page, summary = report(damaged), (damaged.path / "summary.md").read_text()
    assert "not measured" not in page.text["verdicts"] + summary
    assert "could not be read" in summary


def test_without_masks_slices_stand_without_prediction(damaged: RunStore):
    damaged.masks_path(Cell("A", 7)).unlink()
    page = report(damaged)
    paths = [a["class"] for tag, a in page.tags if tag == "path" and a.get("class") in ("truth", "predicted")]
    assert set(paths) == {"truth"}
    assert "the predicted mask is not stored" in page.text["gallery"]


def test_one_damaged_run_beside_a_whole_one(whole: Path, damaged: RunStore, tmp_path: Path):
    damaged.record_path(Cell("A", 7)).write_text("{}")
    page = Reader(write_page([whole, damaged.path], tmp_path / "both.html", whole).read_text())
    assert str(damaged.record_path(Cell("A", 7))) in page.text["verdicts"]
    assert HOLDS not in page.text["verdicts"]


def test_damaged_pictures_are_taken_from_the_data_again(tmp_path: Path, whole: Path):
    """Where the data is there, nothing is lost and nothing is said."""
    from btlib.data import load_dataset, phantom_folder
    from btlib.reporting.html.pictures import pictures
    from btlib.reporting.html.problems import Problems
    from btlib.reporting.html.views import view

    folder = RunStore(shutil.copytree(whole, tmp_path / "run"))
    data = phantom_folder(tmp_path / "phantoms", 12)
    folder.save_info(folder.info().model_copy(update={"data_folder": str(data)}))
    dataset = load_dataset(data, 36)
    areas = {n: mask.sum(axis=(1, 2)).tolist() for n, mask in zip(dataset.ids.tolist(), dataset.masks, strict=True)}
    (folder.path / "pictures.npz").write_bytes(b"PK")
    problems = Problems()
    assert pictures(view(folder.path), areas, problems).keys() == areas.keys()
    assert problems.said == ()
    shutil.rmtree(data)
    assert pictures(view(folder.path), areas, problems).keys() == areas.keys()  # kept for a time without the data


def test_a_run_that_does_not_say_what_it_ran_has_no_page(damaged: RunStore):
    path = damaged.path / "run.json"
    path.write_bytes(path.read_bytes()[:100])
    done = CliRunner().invoke(app, ["report", str(damaged.path)])
    assert done.exit_code == 2
    assert "run.json" in done.stderr
    assert "Hint" in done.stderr
