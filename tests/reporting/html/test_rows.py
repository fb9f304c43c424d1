"""The table of all cases, and what the page says of the whole: every cell, rank and verdict in its place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation.catalogue import METRICS
from btlib.explain.explained import Group
from btlib.explain.explained import Mean as MapMean
from btlib.gate import Verdict
from btlib.gate.ranking import Ranking
from btlib.gate.verdict import Power
from btlib.reporting import Comparison
from btlib.reporting.html.entries import Entry, Reference
from btlib.reporting.html.explained_cases import ExplainedCase
from btlib.reporting.html.gallery import Gallery
from btlib.reporting.html.page import Card, Page
from btlib.reporting.html.render import render
from btlib.reporting.html.rows import Cell, lines, ranks
from btlib.reporting.html.style import colour, tone
from btlib.reporting.html.views import View
from btlib.reporting.intervals import Mean
from btlib.reporting.palette import ACCENT, BAD, GOOD, MUTED, WARN
from btlib.reporting.speed import noise_line
from btlib.runs import Timing
from btlib.runs.throughput import Throughput
from btlib.sample_table import SampleTable

from .reader import Reader

Table = Callable[..., SampleTable]
Make = Callable[..., Entry]


def numbers(**known: float | None) -> dict[str, float | None]:
    return dict.fromkeys(METRICS) | known


@pytest.fixture
def cases(entry: Make, make_table: Table) -> list[Entry]:
    """Three cases with values by hand, of which two share an accuracy; and one that failed."""
    table = make_table(6)
    throughput = {f"inference, batch {n}": Throughput(images_per_second=10.0 * n, ratio=n / 4) for n in (16, 4)}
    training = {"training": Throughput(images_per_second=3.25)}
    return [
        entry("A", table, values=numbers(dice=0.5, hd95=9.0, accuracy=0.75), speeds=throughput, peak_memory_mib=120.4),
        entry("B", table, table, values=numbers(dice=0.75, hd95=2.5, accuracy=0.75), speeds=training, seconds=62.25),
        entry("C", table, values=numbers(accuracy=0.25), status="regressed", title=""),
        entry("D", status="error", source="–"),
    ]


def page_of(entries: list[Entry], view: View, **more: Any) -> Page:
    usual = {
        "views": (view,),
        "references": (),
        "means": {},
        "figures": (),
        "untested": "",
        "undrawn": (),
        "explained_cases": (),
    }
    return Page(entries=tuple(entries), **{"gallery": Gallery(), **usual, **more})


def test_ranks_follow_the_direction_of_each_metric(cases: list[Entry]):
    assert ranks(cases) == {
        **{("A", "dice"): 2, ("B", "dice"): 1},
        **{("A", "hd95"): 2, ("B", "hd95"): 1},
        **{("A", "accuracy"): 1, ("B", "accuracy"): 1, ("C", "accuracy"): 3},
    }


def test_every_cell(cases: list[Entry]):
    reference = Reference("old", replace(cases[1].row, status="reference", case="old", seconds=None), "base")
    means = {("B", "dice"): Mean(0.75, 0.625, 0.875), ("B", "hd95"): Mean(2.5, 1.25, 3.75)}
    columns, found = lines(cases, [reference], means)
    assert [(c.title, c.unit, c.numeric) for c in columns] == [
        *(("case", "", False), ("verdict", "", False)),
        *(("Dice", "", True), ("HD95", "px", True), ("accuracy", "", True)),
        *((name, "images/s", True) for name in ("inference, batch 4", "inference, batch 16", "training")),
        *(("memory", "MiB", True), ("time", "s", True), ("model", "", False)),
    ]
    none = Cell("–")
    first, second, third, last, beside = [line.cells for line in found]
    assert first == (
        *(Cell("A", "title of A"), Cell("pass", tone="good")),
        *(Cell("0.5000", sort=0.5, rank=2), Cell("9.0", sort=9.0, rank=2), Cell("0.7500", sort=0.75, rank=1)),
        *(Cell("40.0", "1.00× reference", sort=40.0), Cell("160.0", "4.00× reference", sort=160.0), none),
        *(Cell("120", sort=120.4), Cell("1.5", sort=1.5), Cell("loaded")),
    )
    assert second[2:4] == (
        Cell("0.7500", "0.6250 – 0.8750", sort=0.75, rank=1),
        Cell("2.5", "1.2 – 3.8", sort=2.5, rank=1),
    )
    assert second[5:] == (none, none, Cell("3.2", "", sort=3.25), Cell("–"), Cell("62.2", sort=62.25), Cell("loaded"))
    assert third[:5] == (Cell("C"), Cell("regressed", tone="bad"), none, none, Cell("0.2500", sort=0.25, rank=3))
    assert last[1:5] == (Cell("error", tone="off"), none, none, none)
    assert beside[:2] == (
        Cell("old", "title of B; from baseline base, not measured in this run"),
        Cell("reference", tone="plain"),
    )
    assert beside[2] == Cell("0.7500", sort=0.75), "neither interval nor rank"
    assert beside[-2] == Cell("–")
    assert [(line.label, line.status) for line in found] == [
        *(("A", "pass"), ("B", "pass"), ("C", "regressed"), ("D", "error"), ("old", "reference")),
    ]


@pytest.mark.parametrize(
    ("status", "name", "tint"),
    [
        ("improved", "good", GOOD),
        ("pass", "good", GOOD),
        ("inconclusive", "warn", WARN),
        ("suspect", "warn", WARN),
        ("regressed", "bad", BAD),
        ("reference", "plain", ACCENT),
        ("measured", "plain", ACCENT),
        *((s, "off", MUTED) for s in ("error", "out-of-memory", "timeout", "missing-baseline", "not-comparable")),
    ],
)
def test_the_tone_of_a_verdict(status: str, name: str, tint: str):
    assert (tone(status), colour(status)) == (name, tint)


def test_the_page_has_what_to_sort_by_and_who_is_a_reference(cases: list[Entry], empty_view: View):
    reference = Reference("old", replace(cases[1].row, status="reference", seconds=None), "base")
    html = render(page_of(cases, empty_view, references=(reference,)))
    page = Reader(html)
    assert page.row("cases", "A")[2:5] == ["rank 2 0.5000", "rank 2 9.0", "rank 1 0.7500"]
    assert page.row("cases", "D title of D", "error")[2:] == ["–"] * 7 + ["1.5", "–"]
    found = [a for tag, a in page.tags if tag == "tr" and "data-label" in a]
    assert [(a["data-label"], a["data-status"], a.get("class")) for a in found] == [
        *(("A", "pass", None), ("B", "pass", None), ("C", "regressed", None), ("D", "error", None)),
        ("old", "reference", "reference"),
    ]
    sort = [a["data-sort"] for tag, a in page.tags if tag == "td" and "data-sort" in a]
    assert sort[:8] == ["0.5", "9.0", "0.75", "40.0", "160.0", "", "120.4", "1.5"]
    assert "Means over test samples," in page.text["table"]


def test_zero_is_a_number_to_sort_by(entry: Make, make_table: Table, empty_view: View):
    page = Reader(render(page_of([entry("A", make_table(6), values=numbers(dice=0.0))], empty_view)))
    assert [a["data-sort"] for tag, a in page.tags if tag == "td" and "data-sort" in a] == ["0.0", "", "1.5"]


def test_the_best_values_and_whose(cases: list[Entry], entry: Make, make_table: Table, empty_view: View):
    assert page_of(cases, empty_view).best == [
        ("highest Dice", "0.7500", "B"),
        ("highest accuracy", "0.7500", "A, B"),
        ("highest images/s", "160", "A, inference, batch 16"),
    ]
    equal = [entry(c, make_table(6), values=numbers(dice=0.5)) for c in "ABCDEF"]
    assert page_of(equal, empty_view).best == [("highest Dice", "0.5000", "A, B, C, D and 2 more")]
    fast = {
        "training": Throughput(images_per_second=9999.0),
        "inference, batch 1": Throughput(images_per_second=1234.5),
    }
    one = entry("A", make_table(6), values=numbers(), speeds=fast)
    assert page_of([one], empty_view).best == [("highest images/s", "1,234", "A, inference, batch 1")]
    assert page_of([entry("D")], empty_view).best == []


def judged(case: str, status: Any, reason: str = "", **more: Any) -> Verdict:
    return Verdict(
        case, "dice", status, reason, 0.5, 0.75, 0.02, -0.25, -0.375, -0.125, method="paired by patient", **more
    )


def test_cards_are_of_one_status_and_reason_the_worst_first(entry: Make, empty_view: View):
    cases = [
        entry("A", verdicts=(judged("A", "pass"), judged("A", "pass", "holds")), status="pass"),
        entry("B", verdicts=(judged("B", "regressed"), judged("B", "pass")), status="regressed"),
        entry("C", verdicts=(judged("C", "inconclusive", reference="old"),), status="inconclusive"),
        entry("D", verdicts=(judged("D", "error", "crashed"),), status="error"),
    ]
    page = page_of(cases, empty_view)
    line = "Dice 0.5000; baseline 0.7500; difference -0.2500, 95 % interval -0.3750 … -0.1250 (paired by patient); "
    line += "margin 0.02"
    assert page.cards == [
        Card("error", "crashed", (("D", line),)),
        Card("regressed", "", (("B", line),)),
        Card("inconclusive", "", (("C", line.replace("baseline", "reference old")),)),
        Card("pass", "", (("A", line), ("B", line))),
        Card("pass", "holds", (("A", line),)),
    ]
    assert page.counts == [("error", 1), ("regressed", 1), ("inconclusive", 1), ("pass", 1)]


def test_every_verdict_has_its_numbers_in_a_row(entry: Make, empty_view: View):
    power = Power(detectable=0.0625, p_pass=0.25, trainings=None, groups=9, n_trainings=1, n_groups=3, unit="patient")
    verdict = judged("N", "inconclusive", reference="old", p=0.04, power=power)
    page = page_of([entry("N", verdicts=(verdict,), status="inconclusive")], empty_view)
    head, row = _table(render(page), "All verdicts")
    assert dict(zip(head, row, strict=True)) == {
        "case": "N compared with old",
        "metric": "Dice",
        "verdict": "inconclusive",
        "measured": "0.5000",
        "baseline": "0.7500",
        "margin": "0.02",
        "difference": "-0.2500",
        "interval": "-0.3750 … -0.1250",
        "p": "0.04",
        "finds": "0.062",
        "passes": "25 %",
        "method": "paired by patient",
    }


def _table(html: str, label: str) -> list[list[str]]:
    """The rows of the table in the region of such a label."""
    part = html.partition(f'aria-label="{label}"')[2].partition("</table>")[0]
    reader = Reader(part.partition(">")[2])
    (rows,) = reader.tables.values()
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def test_where_a_new_case_stands_in_a_table(entry: Make, empty_view: View):
    numbers = (0.5, 0.75, 0.02, -0.25, -0.375, -0.125, "paired by patient", 0.031, 2, 7, 1.0, 2.0)
    one = Ranking("N", "old", "dice", "regressed", *numbers)
    view = replace(empty_view, comparison=Comparison(empty_view.info, (), rankings=(one,)))
    page = page_of([replace(entry("N", view=view), label="N · run"), entry("M", view=view)], view)
    assert [(e.label, s) for e, s in page.rankings] == [("N · run", one)]
    rows = _table(render(page), "New cases compared with the baseline's cases")
    assert dict(zip(rows[0], rows[1], strict=True)) == {
        "case": "N · run",
        "reference": "old from the baseline",
        "metric": "Dice",
        "verdict": "regressed",
        "case value": "0.5000",
        "reference value": "0.7500",
        "difference": "-0.2500",
        "95 % interval": "-0.3750 … -0.1250",
        "Holm p": "0.031",
        "rank": "2 of 7",
        "method": "paired by patient",
    }


def test_all_is_well_only_where_all_is_there(entry: Make, empty_view: View):
    def holds(*statuses: str, missing: tuple[str, ...] = (), unread: tuple[str, ...] = ()) -> bool:
        view = replace(empty_view, comparison=Comparison(empty_view.info, (), missing), unread=unread)
        page = page_of([entry(f"C{i}", status=s) for i, s in enumerate(statuses)], empty_view, views=(empty_view, view))
        measured = all(entry.row.status == "measured" for entry in page.entries)
        text = "was measured. No" if measured else "that was compared with a baseline passed the comparison."
        assert (f"Every case {text}" in render(page)) == page.holds
        return page.holds

    assert holds("pass", "improved", "measured")
    for status in ("inconclusive", "regressed", "error", "not-comparable", "missing-baseline", "timeout"):
        assert not holds("pass", status)
    assert not holds()
    assert not holds("pass", missing=("X",))
    assert not holds("pass", unread=("x.json: is damaged",))


def test_all_problems_are_named(entry: Make, empty_view: View):
    view = replace(empty_view, unread=("unread",))
    lost = {"undrawn": ("undrawn",), "gallery": Gallery(problems=("lost",))}
    page = page_of([entry("A")], view, views=(empty_view, view), **lost)
    assert (page.unread, page.problems) == (("unread",), ("unread", "undrawn", "lost"))
    assert page.title == "run and run"


def test_the_note_of_single_trainings(entry: Make, make_table: Table, empty_view: View):
    one, two = entry("A", make_table(6)), entry("B", make_table(6), make_table(6))
    assert page_of([two, one, entry("D")], empty_view).one_training.startswith(
        "A case with one seed is a single training run"
    )
    assert page_of([two, entry("D")], empty_view).one_training == ""
    assert page_of([one, two], empty_view, untested="why").one_training == ""


def test_what_the_maps_say(entry: Make, empty_view: View):
    names = ("centre_pointing", "random_pointing", "mass", "centre_mass", "random_mass", "chance")
    means = {name: MapMean(value=0.1 * k, low=None, high=None) for k, name in enumerate(names, 1)}
    known = means | {"mass": MapMean(value=0.3, low=0.25, high=0.35)}
    group = {"n": 9, "unit": "patient", "units": 5, "ratio": None, "hits": 4, "silent": 0}
    explained_cases = tuple(
        ExplainedCase(label, Group(**group, hits_low=0.125, hits_high=0.75, means=found), fill, destroyed)
        for label, found, fill, destroyed in (("A", known, "zero", -0.125), ("B", means, "mean", None))
    )
    head, first, second = _table(
        render(page_of([entry("A")], empty_view, explained_cases=explained_cases)), "Image regions that matter"
    )
    assert head == [
        *("case", "hits", "centre prior", "random", "mass inside", "centre prior", "random", "chance"),
        "random weights",
    ]
    assert first == [
        *("A hidden with zero", "4 of 90.12 – 0.75", "0.10", "0.20", "0.3000.250 – 0.350", "0.400", "0.500", "0.600"),
        "-0.12",
    ]
    assert second == [
        *("B hidden with mean", "4 of 90.12 – 0.75", "0.10", "0.20", "0.300", "0.400", "0.500", "0.600", "–"),
    ]


def test_the_facts_of_each_run_stand_under_its_own_title(entry: Make, make_table: Table, empty_view: View):
    views = []
    for label, torch in (("first", "2.11"), ("second", "2.12")):
        info = empty_view.info.model_copy(update={"data": f"data of {label}", "task": PHANTOM})
        noise = Timing(images=1, seconds=[1.0] * 4, reference_seconds=[float(torch)] * 4)
        views.append(
            (replace(empty_view, label=label, info=info, noise=noise), {"environment": {"torch": torch, "cpu": label}})
        )
    cases = []
    for view, changes in views:
        one, other = entry("A", make_table(6), view=view), entry("B", make_table(6), view=view)
        odd = {"environment": changes["environment"] | {"cpu": f"other of {view.label}"}}
        records = [[e.records[0].model_copy(update=c)] for e, c in ((one, changes), (other, odd))]
        cases += [replace(e, records=tuple(r)) for e, r in zip((one, other), records, strict=True)]
    page = Reader(render(page_of(cases, views[0][0], views=tuple(view for view, _ in views))))
    text = " ".join(page.text["origin"].split())
    first, second = text.partition("second")[0], "second" + text.partition(" second ")[2]
    assert "torch2.11" in first
    assert "torch2.12" not in first
    assert "Measured in another environment: B, seed 1: cpu other of first (first measurement: first)" in first
    assert "torch2.12" in second
    assert "B, seed 1: cpu other of second (first measurement: second)" in text
    assert text.count("Measured in another environment") == 2
    assert page.text["verdicts"].index("data of first") < page.text["verdicts"].index("data of second")
    assert page.text["verdicts"].count("Synthetic samples") == 2
    for view, _ in views:
        assert f"{view.label}: {noise_line(view.noise)}" in page.text["speed"]
