"""A run, read as far as it can be read: which baseline, which records, what is missing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.errors import BaselineError, RecordError
from btlib.gate.loading import NotComparedError
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.style import inline
from btlib.reporting.html.views import view
from btlib.runs import CaseRecord, RunInfo, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]


@pytest.fixture
def folder(tmp_path: Path, info: RunInfo, record: Callable[..., CaseRecord], make_table: Table) -> RunStore:
    """X with seeds 10 and 9, and W that failed."""
    folder = RunStore(tmp_path / "run")
    folder.save_info(info.model_copy(update={"cases": ["X", "W"], "seeds": [10, 9], "baseline": "none"}))
    for seed in (10, 9):
        folder.save_record(record("X", make_table(wrong=seed), seed=seed))
        folder.save_record(record("W", None, "out of luck", seed=seed))
    return folder


def test_what_was_read(folder: RunStore):
    timing = Timing(images=4, seconds=[1.0])
    speed = Speed(case="X", figures={"inference, batch 4": timing}, noise=timing)
    first = folder.record(Cell("X", 10))
    assert first is not None
    folder.save_record(first.model_copy(update={"speed": speed}))
    found = view(folder.path)
    assert (found.label, found.info) == ("run", folder.info())
    assert [(r.case, r.seed) for r in found.records] == [("W", 9), ("W", 10), ("X", 9), ("X", 10)]
    assert {case: list(speed.figures) for case, speed in found.speeds.items()} == {"X": ["inference, batch 4"]}
    assert (found.noise, found.unread) == (timing, ())
    assert isinstance(found.baseline, NotComparedError)
    assert [row.case for row in found.comparison.rows] == ["W", "X"]
    assert found.comparison.missing == ()
    assert list(found.comparison.rows[1].speeds) == ["inference, batch 4"]


def test_speed_and_noise_of_a_run_of_before_are_read(folder: RunStore):
    """They had files of their own; a record that has its speed comes before them."""
    old, new = (Timing(images=images, seconds=[1.0]) for images in (4, 8))
    for case in ("X", "W"):
        Speed(case=case, figures={"inference, batch 4": old}).save(folder.path / "speed" / f"{case}.json")
    old.save(folder.path / "noise.json")
    found = view(folder.path)
    assert (found.noise, found.unread) == (old, ())
    assert {case: speed.figures for case, speed in found.speeds.items()} == {
        case: {"inference, batch 4": old} for case in "WX"
    }
    first = folder.record(Cell("X", 9))
    assert first is not None
    speed = Speed(case="X", figures={"training": new}, noise=new)
    folder.save_record(first.model_copy(update={"speed": speed}))
    found = view(folder.path)
    assert found.noise == new
    assert {case: list(speed.figures) for case, speed in found.speeds.items()} == {
        "W": ["inference, batch 4"],
        "X": ["training"],
    }


def test_a_case_is_missing_where_no_seed_was_measured(folder: RunStore):
    """Where some seed was, the lost ones are named."""
    folder.save_info(folder.info().model_copy(update={"cases": ["X", "gone", "W"], "seeds": [9, 10, 11]}))
    folder.record_path(Cell("X", 9)).unlink()
    found = view(folder.path)
    assert found.comparison.missing == ("gone",)
    lost = [("X", 9), ("X", 11), ("W", 11)]
    assert found.unread == tuple(
        f"{folder.record_path(Cell(case, seed))}: expected a record, found no file" for case, seed in lost
    )


def test_a_damaged_record_is_named_and_its_case_is_not_missing(folder: RunStore):
    for seed in (9, 10):
        folder.record_path(Cell("X", seed)).write_text("{")
    found = view(folder.path)
    assert found.comparison.missing == ()
    assert [
        str(folder.record_path(Cell("X", seed))) in told for seed, told in zip((10, 9), found.unread, strict=True)
    ] == [True] * 2
    assert [row.case for row in found.comparison.rows] == ["W"]


def test_a_damaged_record_beside_a_lost_one_is_no_missing_case(folder: RunStore):
    folder.record_path(Cell("X", 9)).unlink()
    folder.record_path(Cell("X", 10)).write_text("{")
    found = view(folder.path)
    assert found.comparison.missing == ()
    damaged, lost = found.unread
    assert str(folder.record_path(Cell("X", 10))) in damaged
    assert lost == f"{folder.record_path(Cell('X', 9))}: expected a record, found no file"


def test_the_baseline_is_where_it_lay_or_else_found_by_name(
    folder: RunStore, tmp_path: Path, make_table: Table, baseline_of: Callable[..., Baseline]
):
    own, there = baseline_of(make_table(), "X"), tmp_path / "there"
    own.model_copy(update={"name": "own", "title": "where it lay"}).save(tmp_path / "old" / "own.json")
    own.model_copy(update={"name": "own", "title": "by name"}).save(there / "own.json")

    def title(baseline: Path) -> str:
        folder.save_info(folder.info().model_copy(update={"baseline": str(baseline)}))
        found = view(folder.path, there).baseline
        return str(found) if isinstance(found, BaselineError) else found.title

    assert title(tmp_path / "old" / "own.json") == "where it lay"
    assert title(tmp_path / "gone" / "own.json") == "by name"
    assert "no such baseline file" in title(tmp_path / "gone" / "other.json")


def test_what_is_no_run(tmp_path: Path):
    with pytest.raises(RecordError, match="not the folder of a run"):
        view(tmp_path)


def test_problems_are_told_once_in_their_order():
    problems = Problems()

    def fail() -> int:
        raise RecordError("lost", where="x")

    assert problems.attempt(lambda: 7) == 7
    assert problems.attempt(fail) is None
    problems.add("b", "a", "b")
    assert problems.attempt(fail) is None
    assert problems.said == ("x: lost", "b", "a")
    with pytest.raises(ZeroDivisionError):
        problems.attempt(lambda: 1 // 0)


SVG = """<?xml version="1.0"?>
<svg height="72pt" viewBox="0 0 144 72" width="144pt">
 <metadata><x/></metadata>
 <defs><style type="text/css">*{x}</style></defs>
 <g id="unused"><path id="m1" style="fill: #1f5fa8; stroke: #b8302a"/></g>
 <g clip-path="url(#p2)"><use xlink:href="#m1" style="fill: #18764a"/></g>
 <clipPath id="p2"/>
 <text style="font-size: 9px; font-family: 'DejaVu Sans'; fill: #8a6100">#1f5fa8 url(#p2)</text>
</svg>"""


def test_a_figure_takes_the_colours_of_the_page_and_ids_of_its_own():
    """In tags alone: text stays as it is."""
    text = inline(SVG, "fig", "A < B")
    assert text.startswith('<svg viewBox="0 0 144 72" role="img" aria-label="A &lt; B">')
    assert '<path id="fig-m1" style="fill: var(--accent); stroke: var(--bad)"/>' in text
    assert '<g clip-path="url(#fig-p2)"><use href="#fig-m1" style="fill: var(--good)"/></g>' in text
    assert '<clipPath id="fig-p2"/>' in text
    assert '<text style="font-size: 9px; fill: var(--warn)">#1f5fa8 url(#p2)</text>' in text
    for gone in ("<?xml", "metadata", "<style", "unused", "72pt", "font-family"):
        assert gone not in text
