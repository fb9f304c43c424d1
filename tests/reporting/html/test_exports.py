"""What the page shows, for programs: every sample of every seed, and the numbers that stand nowhere else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.thresholds import ThresholdCurve
from btlib.metrics.calibration import confidence_bins
from btlib.reporting.html import write as room
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.exports import write_figures, write_numbers, write_per_sample
from btlib.reporting.html.figures import Drawn
from btlib.reporting.html.gallery import Gallery
from btlib.reporting.html.maps import SliceMap
from btlib.reporting.html.page import Page
from btlib.reporting.html.tiles import Tile
from btlib.reporting.html.views import View
from btlib.reporting.intervals import Mean
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.sample_table import SampleTable

from ..cells import rows

Table = Callable[..., SampleTable]
Make = Callable[..., Entry]


def test_every_slice_of_every_seed(entry: Make, make_table: Table, tmp_path: Path):
    one, two = make_table(9, wrong=4), make_table(9, wrong=2, seed=1)
    masks = make_table(7, classes=False)
    cases = [replace(entry("a\rb", one, two, seeds=(9, 10)), label="A"), entry("M", masks), entry("broken")]
    write_per_sample(cases, tmp_path / "x.csv")
    frame = pd.read_csv(tmp_path / "x.csv", dtype={"id": str})
    assert frame.columns[:4].tolist() == ["schema", "case", "seed", "id"]
    assert list(zip(frame["case"], frame["seed"], frame["id"], strict=True)) == [
        *(("a\rb", seed, n) for seed in (9, 10) for n in one.id),
        *(("M", 1, n) for n in masks.id),
    ]
    names = np.array(["meningioma", "glioma", "pituitary"])
    for part, table in ((frame[:9], one), (frame[9:18], two)):
        assert part["label"].tolist() == names[table.labels].tolist()
        assert part["predicted"].tolist() == names[table.predicted()].tolist()
        assert part["correct"].tolist() == table.correct().tolist()
        np.testing.assert_allclose(part["dice"], per_sample(table, "dice"))
        order = np.argsort(table.truth_area[:, 0], kind="stable")
        thirds = part["size"].to_numpy()
        assert [set(thirds[order[k : k + 3]]) for k in (0, 3, 6)] == [{"small"}, {"middle"}, {"large"}]
    assert (frame[:9]["predicted"] != frame[:9]["label"]).sum() == 4
    assert frame[18:]["predicted"].isna().all()


def test_without_numbers_there_is_a_head(entry: Make, tmp_path: Path):
    write_per_sample([entry("broken")], tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().strip() == "schema,case,seed,id"


def test_figures_of_before_are_removed(tmp_path: Path):
    for name in ("old.svg", "kept.svg", "notes.txt"):
        (tmp_path / name).write_text("old")
    write_figures([Drawn("samples", name, "", "", f"<{name}/>") for name in ("kept", "new")], tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "kept.svg": "<kept/>",
        "new.svg": "<new/>",
        "notes.txt": "old",
    }


def tile(entry: Entry, name: str, found: SliceMap | None = None) -> Tile:
    return Tile("x", entry, ("worst", "changed"), 0, name, "p", (1, 1), "", None, 0.5, -0.25, "glioma", (), found)


def test_the_numbers_of_each_case(entry: Make, make_table: Table, empty_view: View, tmp_path: Path):
    """Under its own name, not under its label; tiles and means of its own alone."""
    made = entry("A", make_table(9, wrong=4), make_table(9), seeds=(9, 10))
    curve = ThresholdCurve(thresholds=[0.5], dice=[0.75])
    records = (made.records[0].model_copy(update={"threshold_curve": curve}), made.records[1])
    one = replace(made, label="A · run", records=records)
    two = entry("B", make_table(9, classes=False))
    shown = Gallery((tile(one, "7", SliceMap("", 0.75, 0.125)), tile(two, "7"), tile(one, "3")))
    means = {("A · run", "dice"): Mean(0.5, 0.25, 0.75), ("B", "dice"): Mean(0.9, 0.8, 1.0)}
    figures = (Drawn("samples", "samples-dice", "", "", ""),)
    page = Page((empty_view,), (one, two), (), means, figures, "", ("a curve",), (), replace(shown, problems=("lost",)))
    write_numbers(page, tmp_path / "report.json")
    value = json.loads((tmp_path / "report.json").read_text())
    assert (value["schema"], value["figures"], value["problems"]) == (
        *("btlib-report/2", ["figures/samples-dice.svg"], ["a curve", "lost"]),
    )
    first, second = value["cases"]
    assert (first["case"], second["case"]) == ("A", "B")
    assert first["means"] == {"dice": {"value": 0.5, "low": 0.25, "high": 0.75}}
    assert second["means"]["dice"]["value"] == 0.9
    assert (first["ranks"]["accuracy"], first["ranks"]["macro_f1"]) == (1, 1)
    assert sorted((first["ranks"]["dice"], second["ranks"]["dice"])) in ([1, 1], [1, 2])
    assert [(s["seed"], s["threshold_curve"]) for s in first["seeds"]] == [
        (9, {"thresholds": [0.5], "dice": [0.75]}),
        (10, None),
    ]
    assert first["seeds"][0]["summary"] == json.loads(json.dumps(records[0].summary))
    table = made.result.samples
    bins = confidence_bins(table.class_prob, table.labels)
    assert first["calibration"] == {name: found.tolist() for name, found in vars(bins).items()}
    assert second["calibration"] is None
    shown_of = {"kinds": ["worst", "changed"], "dice": 0.5, "change": -0.25}
    assert first["samples"] == [{"id": "7", **shown_of, "mass": 0.75, "chance": 0.125}, {"id": "3", **shown_of}]
    assert second["samples"] == [{"id": "7", **shown_of}]


def test_pairs_of_one_run_and_of_several(entry: Make, make_table: Table, empty_view: View):
    """Of several runs, a case stands against itself alone."""
    other = replace(empty_view, label="other")
    tables = [make_table(6, seed=k) for k in range(4)]
    one = [entry("A", tables[0]), entry("B", tables[1])]
    tests, why = room._tests([*one, entry("broken")])
    assert ([(t.first, t.second) for t in tests if t.metric == "dice"], why) == ([("B", "A")], "")
    found = [
        replace(entry(case, table, view=view), label=f"{case} · {view.label}")
        for (case, view), table in zip(((c, v) for c in "AB" for v in (empty_view, other)), tables, strict=True)
    ]
    named = [replace(e, result=replace(e.result, case=e.label)) for e in found]
    tests, why = room._tests(named)
    assert ([(t.first, t.second) for t in tests if t.metric == "dice"], why) == (
        [("A · other", "A · run"), ("B · other", "B · run")],
        "",
    )


def test_why_pairs_were_not_tested(entry: Make, make_table: Table, empty_view: View):
    assert room._tests([entry("A", make_table(6)), entry("broken")]) == (*((), "fewer than two cases have values"),)
    lost = entry("B", make_table(6))  # of which another seed failed
    lost = replace(lost, result=replace(lost.result, failure="timeout"))
    assert room._tests([entry("A", make_table(6)), lost])[1].startswith("fewer than two cases have values")
    types, masks = entry("A", make_table(6, mask=False)), entry("B", make_table(6, classes=False))
    assert room._tests([types, masks]) == ((), "no two cases share a metric")
    one = entry("C", make_table(6))
    under = one.result.conditions.model_copy(update={"image_size": 64})
    tests, why = room._tests([entry("A", make_table(6)), replace(one, result=replace(one.result, conditions=under))])
    assert tests == ()
    assert "case C and case A were measured under different conditions" in why


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch, empty_view: View) -> list[Page]:
    """Every page that was rendered, instead of writing it."""
    found: list[Page] = []

    def render(page: Page) -> str:
        found.append(page)
        return "x" * 1000

    monkeypatch.setattr(room, "render", render)
    monkeypatch.setattr(room, "view", lambda path, baselines: replace(empty_view, label=path.name))
    return found


def test_titles_belong_to_their_runs(pages: list[Page], tmp_path: Path):
    home = tmp_path / "x.html"
    for titles, wanted in (
        ((), ["one", "two"]),
        (("first", "second"), ["first", "second"]),
        (("same", "same"), ["same [1]", "same [2]"]),
    ):
        room.write_page([Path("one"), Path("two")], home, titles=titles)
        assert [v.label for v in pages[-1].views] == wanted
    assert home.read_text() == "x" * 1000


def test_the_gallery_has_the_room_that_the_rest_leaves(
    pages: list[Page], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    rooms: list[int] = []

    def gallery(entries: Any, room_: int, weigh: Any) -> Gallery:
        rooms.append(room_)
        return Gallery(problems=("shown",))

    monkeypatch.setattr(room, "gallery", gallery)
    room.write_page([Path("one")], tmp_path / "x.html")
    assert rooms == [14_500_000 - 1000]
    assert pages[-1].gallery.problems == ("shown",)
    assert cast(Any, pages[0].gallery).tiles == ()


@pytest.mark.usefixtures("undrawn")
def test_the_files_of_a_report(tmp_path: Path, info: RunInfo, record: Callable[..., CaseRecord], make_table: Table):
    """Cases by their own names, which a page displays in another way; and what could not be read."""
    folder = RunStore(tmp_path / "run")
    folder.save_info(info.model_copy(update={"cases": ["a  b", "c"], "seeds": [1, 2], "baseline": "none"}))
    for case, seed, wrong in (("a  b", 1, 6), ("a  b", 2, 12), ("c", 1, 3)):
        folder.save_record(record(case, make_table(wrong=wrong), seed=seed))
    assert room.write_report(folder.path, title="the title") == folder.path / "index.html"
    first, second = rows((folder.path / "summary.md").read_text())
    assert (first["case"], first["accuracy"][:9]) == ("a b case a b", "0.8500 (0")
    assert second["accuracy"].startswith("0.9500 (0")
    assert "could not be read" in (folder.path / "summary.md").read_text()
    value = json.loads((folder.path / "report.json").read_text())
    assert [(case["case"], len(case["seeds"])) for case in value["cases"]] == [("a  b", 2), ("c", 1)]
    assert value["cases"][0]["means"]["accuracy"]["value"] == pytest.approx(0.85)
    assert [str(folder.record_path(Cell("c", 2))) in problem for problem in value["problems"]] == [True, *[False] * 3]
    assert len(pd.read_csv(folder.path / "per_sample.csv")) == 3 * 60
    assert {path.name for path in (folder.path / "figures").iterdir()} == {
        figure.removeprefix("figures/") for figure in value["figures"]
    }
    assert "<h1>the title</h1>" in (folder.path / "index.html").read_text()
