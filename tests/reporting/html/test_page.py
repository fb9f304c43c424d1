"""What the page says, without a browser: everything that was measured, nothing that was not, and text as text."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from btlib import files, npz
from btlib.cli import app
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.errors import RecordError
from btlib.evaluation.aggregate import per_sample
from btlib.explain.maps import Maps
from btlib.reporting.html import write_page, write_report
from btlib.reporting.html.tiles import contours
from btlib.runs import RunStore

from .conftest import NAMES, SCRIPT
from .reader import Reader, unreadable


@pytest.fixture(scope="module")
def page(html: str) -> Reader:
    return Reader(html)


def test_a_case_called_script_is_text(html: str, page: Reader):
    assert "alert('x')</script>" not in html
    assert SCRIPT in page.text["table"]
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert f"out of luck {SCRIPT}" in page.text["verdicts"]


def test_a_message_can_be_read_whatever_is_in_it(run: Path, html: str, page: Reader):
    assert r"\x1b[31m\x00" in page.text["verdicts"]
    assert unreadable(html) == set()
    assert unreadable((run / "summary.md").read_text()) == set()


def test_every_case_is_in_every_part_it_has_numbers_for(page: Reader):
    labels = [a["data-label"] for tag, a in page.tags if tag == "tr" and "data-label" in a]
    assert labels == list(NAMES)
    figures = [a["aria-label"] for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert {f"Confusion matrix of {n}" for n in ("B", SCRIPT)} <= set(figures)
    assert "Confusion matrix of A" not in figures
    assert "Dice of A by threshold" in figures
    assert "Dice of B by threshold" not in figures
    assert {"Difference in Dice from the baseline", "Difference in accuracy of every pair of cases"} <= set(figures)
    assert {"Dice against throughput", "Learning curves of A, seed 7"} <= set(figures)


def test_subgroups_have_a_table(html: str):
    assert "differences within subgroups, worst first</summary>" in html
    assert "small third" in html


def test_nothing_is_loaded_from_anywhere(html: str, page: Reader):
    for tag, attributes in page.tags:
        for name in ("src", "href", "data", "srcset", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", html)
    assert not re.search(r"https?://(?!www\.w3\.org)", html)


def test_it_says_what_is_phantom_and_what_was_reused(page: Reader):
    assert "Phantom data." in page.text["verdicts"]
    assert "All samples are phantoms" in page.text["origin"]
    assert "3 of 4 models were reused" in page.text["origin"]
    assert "no model: the case failed" in page.text["origin"]


@pytest.mark.usefixtures("undrawn")
def test_real_slices_are_not_called_phantoms(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    phantom, figshare = (json.dumps(task.model_dump(mode="json")) for task in (PHANTOM, FIGSHARE))
    for path in [tmp_path / "run" / "run.json", *(tmp_path / "run" / "records").glob("*.json")]:
        changed = json.loads(json.dumps(files.read_sealed(path)).replace(phantom, figshare))
        files.write_json(path, files.sealed(changed))
    text = write_report(tmp_path / "run").read_text()
    assert "Phantom data." not in text
    assert "The samples are from figshare, CC BY 4.0, doi 10.6084/m9.figshare.1512427." in text


def test_verdicts_have_their_numbers(page: Reader):
    assert "regressed" in page.text["verdicts"]
    assert re.search(r"\d\.\d{4}; baseline \d\.\d{4}; difference -\d\.\d{4}, 95 % interval", page.text["verdicts"])


def test_the_numbers_are_those_of_the_records(run: Path, page: Reader):
    for record in RunStore(run).records():
        if record.samples is not None and record.samples.has_mask:
            assert f"{per_sample(record.samples, 'dice').mean():.4f}" in page.text["table"]
    tiles = [a for tag, a in page.tags if tag == "li" and "data-kinds" in a]
    record = next(r for r in RunStore(run).records() if r.case == "A")
    assert record.samples is not None
    worst = record.samples.id[int(per_sample(record.samples, "dice").argmin())]
    first = next(tile for tile in tiles if tile["data-case"] == "A")
    assert first["id"] == f"sample-A-{worst}"
    assert "changed" in {kind for tile in tiles for kind in (tile["data-kinds"] or "").split()}
    assert {tile["data-case"] for tile in tiles} == {"A", "B", SCRIPT}


def test_ids_are_unique_and_links_lead_somewhere(page: Reader):
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"] for _, a in page.tags if (a.get("href") or "").startswith("#")}
    assert links <= {f"#{name}" for name in ids}


def test_the_same_run_gives_the_same_page(run: Path, html: str):
    assert write_report(run).read_text() == html


def test_twins_say_the_same(run: Path):
    frame = pd.read_csv(run / "per_sample.csv", dtype={"id": str})
    records = {r.case: r for r in RunStore(run).records() if r.samples is not None}
    assert set(frame["case"]) == set(records)
    assert set(frame["schema"]) == {"btlib-per-sample/1"}
    for case, record in records.items():
        ours = frame[frame["case"] == case]
        assert ours["id"].tolist() == record.samples.id
        if record.samples.has_mask:
            np.testing.assert_allclose(ours["dice"], per_sample(record.samples, "dice"))
    value = json.loads((run / "report.json").read_text())
    assert value["schema"] == "btlib-report/2"
    assert [case["case"] for case in value["cases"]] == list(NAMES)
    assert all((run / name).exists() for name in value["figures"])
    assert len(value["figures"]) == len(list((run / "figures").glob("*.svg")))
    mean = value["cases"][0]["means"]["dice"]
    assert mean["low"] < mean["value"] < mean["high"]
    assert mean["value"] == pytest.approx(per_sample(records["A"].samples, "dice").mean())


def test_the_summary_is_short_and_is_text(run: Path):
    text = (run / "summary.md").read_text()
    assert "1 suspect, 1 regressed" in text
    assert "PHANTOM DATA" in text
    assert "<script" not in text
    assert len(text) < 3000


def test_one_slice_has_no_interval(make_run: Callable[..., Path], tmp_path: Path):
    path = make_run(tmp_path / "run", n=10, names=("B",))  # a tenth is tested
    assert {r.conditions.n_test for r in RunStore(path).records()} == {2}
    one = make_run(tmp_path / "one", n=6, names=("A", "B"))
    assert {r.conditions.n_test for r in RunStore(one).records()} == {1}
    page = Reader(write_report(one).read_text())
    assert "Not tested:" in page.text["differences"]
    assert json.loads((one / "report.json").read_text())["cases"][0]["means"] == {}
    assert sum(a.get("data-case") == "A" for tag, a in page.tags if tag == "li") == 1


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_says_so(make_run: Callable[..., Path], tmp_path: Path):
    path = make_run(tmp_path / "run", names=("B",))
    page = Reader(write_report(path).read_text())
    assert "No case predicts masks, and no case has relevance maps." in page.text["gallery"]
    assert "No case could be compared with a baseline" in page.text["differences"]
    assert "fewer than two cases" in page.text["differences"]
    assert "The noise floor was not measured." in page.text["speed"]
    assert "explained" not in page.text
    only = make_run(tmp_path / "only", names=("A",))
    page = Reader(write_report(only).read_text())
    assert page.text["classes"].count("No case predicts classes.") == 2


@pytest.mark.usefixtures("undrawn")
def test_only_failures(make_run: Callable[..., Path], tmp_path: Path):
    path = make_run(tmp_path / "run", names=("broken",))
    page = Reader(write_report(path).read_text())
    assert "out of luck" in page.text["verdicts"]
    assert "No case has numbers." in page.text["samples"]


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_records(make_run: Callable[..., Path], tmp_path: Path):
    path = make_run(tmp_path / "run", names=("A",))
    shutil.rmtree(path / "records")
    page = Reader(write_report(path).read_text())
    assert "No case was run." in page.text["table"]
    assert "selected for this run, but not measured: A" in page.text["verdicts"]


@pytest.mark.usefixtures("undrawn")
def test_records_of_before_have_no_masks_and_no_curve(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "predictions")
    for path in (tmp_path / "run" / "records").glob("*.json"):
        value = files.read_sealed(path)
        del value["threshold_curve"]
        files.write_json(path, value)
    page = Reader(write_report(tmp_path / "run").read_text())
    assert "case A: its predicted masks were not stored" in page.text["gallery"]
    assert "older version that did not store these curves" in page.text["samples"]


@pytest.mark.usefixtures("undrawn")
def test_pictures_of_other_slices_are_not_shown(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "pictures.npz"
    kept = npz.read_npz(path, ["ids", "images", "packed", "width"])
    npz.write_npz(path, kept | {"packed": np.zeros_like(kept["packed"])})
    page = Reader(write_report(tmp_path / "run").read_text())
    assert "the data has changed since" in page.text["gallery"]
    assert not [a for tag, a in page.tags if tag == "li" and "data-kinds" in a]


@pytest.mark.usefixtures("undrawn")
def test_without_data_the_page_says_so(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "pictures.npz").unlink()
    assert "does not record its data folder" in Reader(write_report(tmp_path / "run").read_text()).text["gallery"]


@pytest.mark.usefixtures("undrawn")
def test_maps_stand_beside_their_slices(run: Path, tmp_path: Path):
    """Explained samples join the gallery, whatever their Dice; red is where the model needs what is there."""
    folder = RunStore(shutil.copytree(run, tmp_path / "run"))
    shown = {s["id"] for s in json.loads((run / "report.json").read_text())["cases"][0]["samples"]}
    record = folder.records()[0]
    assert record.samples is not None
    name = next(n for n in record.samples.id if n not in shown)
    total = np.zeros((1, 32, 48), np.float32)
    total[0, :16] = 1.0
    maps = Maps(np.array([name]), np.zeros(1, np.int64), np.full(1, 0.9), total, total)
    shutil.rmtree(folder.path / "explain")
    maps.save(folder.explain_place.file(record.case, "npz"))
    page = Reader(write_report(folder.path).read_text())
    assert f"Relevance map of sample {name}" in {a.get("aria-label") for tag, a in page.tags if tag == "svg"}
    (address,) = (a["href"] for tag, a in page.tags if tag == "image" and "image/png" in (a["href"] or ""))
    png = base64.b64decode((address or "").partition(",")[2])
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (2, 3, 3)  # a pixel for each square of sixteen that are equal
    assert pixels[0, 0, 2] > pixels[0, 0, 0] + 50  # red, of blue, green, red
    assert np.ptp(pixels[-1, -1].astype(int)) < 10  # zero is white


@pytest.mark.usefixtures("undrawn")
def test_what_the_maps_say_stands_in_a_table(make_run: Callable[..., Path], tmp_path: Path):
    path = make_run(tmp_path / "run", names=("A", "B"), explained=4)
    page = Reader(write_report(path).read_text())
    everything = RunStore(path).explained()["B"].summary["all"]
    text = " ".join(page.text["explained"].split())
    assert f"{everything.hits} of 4" in text
    for name in ("mass", "centre_mass", "random_mass", "chance"):
        assert f"{everything.means[name].value:.3f}" in text
    mass = everything.means["mass"]
    assert f"{mass.low:.3f} – {mass.high:.3f}" in text
    assert "hidden with zero" in text
    samples = json.loads((path / "report.json").read_text())["cases"][1]["samples"]
    rows = RunStore(path).explained()["B"].samples
    assert {s["id"]: s["mass"] for s in samples} == {row.id: row.average.mass for row in rows}


def test_a_threshold_of_its_own_is_marked(run: Path, tmp_path: Path):
    """A model that chose its threshold on validation samples has that one in its figure, not the protocol's."""
    folder = RunStore(shutil.copytree(run, tmp_path / "run"))
    protocols = (run / "figures" / "threshold-A.svg").read_text()
    record = next(r for r in folder.records() if r.case == "A")
    assert record.model is not None
    own = record.model.model_copy(update={"details": {"threshold": 0.35}})
    folder.save_record(record.model_copy(update={"model": own}))
    page = Reader(write_report(folder.path).read_text())
    figure = (folder.path / "figures" / "threshold-A.svg").read_text()
    assert [" 0.65" in svg for svg in (protocols, figure)] == [True, False]
    assert [" 0.35" in svg for svg in (protocols, figure)] == [False, True]
    assert "mask threshold 0.35, chosen on validation samples" in page.text["origin"]


@pytest.mark.usefixtures("undrawn")
def test_two_runs_side_by_side(run: Path, tmp_path: Path):
    page = Reader(write_page([run.parent / "better", run], tmp_path / "both.html").read_text())
    labels = [a["data-label"] for tag, a in page.tags if tag == "tr" and "data-label" in a]
    assert labels == [
        *("A · better", "A · run", f"{SCRIPT} · better", f"{SCRIPT} · run", "B · run", "broken · run"),
    ]
    assert "compared with better" in page.text["gallery"]
    figures = {a.get("aria-label") for tag, a in page.tags if tag == "svg"}
    assert "Difference in Dice of every pair of cases" in figures


@pytest.mark.usefixtures("undrawn")
def test_the_command(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "again")
    (tmp_path / "again" / "index.html").unlink()
    assert CliRunner().invoke(app, ["report", str(tmp_path / "again")]).exit_code == 0
    assert (tmp_path / "again" / "index.html").exists()
    done = CliRunner().invoke(app, ["report", str(tmp_path / "again"), str(run), "--output", str(tmp_path / "x.html")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "x.html").exists()
    with pytest.raises(RecordError, match="not the folder of a run"):
        write_report(tmp_path / "nowhere")


def test_contours_go_around_the_mask():
    mask = np.zeros((1, 5, 7), dtype=bool)
    mask[0, 1:4, 2:6] = True
    numbers = [float(v) for v in re.findall(r"[\d.]+", contours(mask))]
    assert contours(mask).count("M") == 1
    assert (min(numbers[::2]), max(numbers[::2])) == (2.5, 5.5)
    assert (min(numbers[1::2]), max(numbers[1::2])) == (1.5, 3.5)
    assert contours(np.zeros((1, 4, 4), dtype=bool)) == ""
    other = np.zeros_like(mask)
    other[0, 0, 0] = True
    assert contours(np.concatenate([mask, other])) == contours(mask) + contours(other), "of every structure"
