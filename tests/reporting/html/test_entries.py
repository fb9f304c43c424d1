"""Cases of runs as a page shows them: labels, order, and what single samples are held against."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib import Baseline
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BaselineError
from btlib.reporting import Comparison
from btlib.reporting.html.chosen import Chosen, changes, choose
from btlib.reporting.html.entries import Entry, entries, references
from btlib.reporting.html.views import View
from btlib.results import SeedRun
from btlib.sample_table import SampleTable, sample_table

from ..tables import changed, with_measures

Table = Callable[..., SampleTable]
Make = Callable[..., Entry]


@pytest.fixture
def view(empty_view: View, entry: Make) -> Callable[..., View]:
    """A run of named cases, a table a seed or None for one that failed, against a baseline."""

    def make(
        label: str,
        baseline: Baseline | BaselineError = empty_view.baseline,
        wanted: tuple[str, ...] = (),
        references: tuple[str, ...] = (),
        **tables: list[SampleTable] | SampleTable | None,
    ) -> View:
        info = empty_view.info.model_copy(update={"cases": list(wanted or tables)})
        seeds = {case: found if isinstance(found, list) else [found] for case, found in tables.items()}
        made = [entry(case, *filter(None, seeds[case])) for case in sorted(seeds)]
        beside = tuple(entry(case, status="reference").row for case in references)
        compared = Comparison(info, tuple(one.row for one in made), references=beside)
        records = tuple(record for one in made for record in one.records)
        changes = {"label": label, "info": info, "records": records, "comparison": compared, "baseline": baseline}
        return replace(empty_view, **changes)

    return make


def test_cases_stand_in_the_order_in_which_they_were_asked_for(view: Callable[..., View], make_table: Table):
    """Those that were not asked for come last, by name."""
    table = make_table()
    run = view("run", wanted=("c", "gone", "a"), a=table, z=table, b=table, c=table)
    assert [e.label for e in entries([run])] == ["c", "a", "b", "z"]


def test_runs_beside_each_other(view: Callable[..., View], make_table: Table, baseline_of: Callable[..., Baseline]):
    """By case in the first run's order; a case of a later run is held against the first run's."""
    one, other, third = make_table(), make_table(wrong=3), make_table(wrong=6)
    baseline = baseline_of(make_table(wrong=9), "b", "c", "d")
    first = view("old", baseline, b=[one, other], a=other, lost=None)
    second = view("new", baseline, a=third, b=third, c=one, d=None, lost=one)
    found = entries([first, second])
    assert [e.label for e in found] == [
        *("b · old", "b · new", "a · old", "a · new", "lost · old", "lost · new", "c · new", "d · new"),
    ]
    assert [e.result.case for e in found] == [e.label for e in found]
    by_label = {e.label: e for e in found}
    assert by_label["b · old"].before_name == by_label["c · new"].before_name == "baseline b"
    assert [run.seed for run in by_label["b · new"].before] == [1, 2]
    assert [run.samples for run in by_label["b · new"].before] == [one, other]
    assert by_label["b · new"].before_name == by_label["a · new"].before_name == "old"
    assert (by_label["a · old"].before, by_label["a · old"].before_name) == ((), "")
    assert (by_label["lost · new"].before, by_label["lost · new"].before_name) == ((), "")
    assert [len(e.records) for e in found[:3]] == [2, 1, 1]


def test_names_that_look_the_same_are_numbered(view: Callable[..., View], make_table: Table):
    found = entries([view("run", **{"a ": make_table(), "a": make_table(wrong=3), "b": make_table()})])
    assert [e.label for e in found] == ["a [1]", "a [2]", "b"]
    assert [e.row.case for e in found] == ["a ", "a", "b"]
    assert [e.result.samples.correct().sum() for e in found] == [60, 57, 60]


def test_a_reference_stands_once_for_each_baseline(
    view: Callable[..., View], make_table: Table, baseline_of: Callable[..., Baseline]
):
    one = baseline_of(make_table(), "x", "y")
    other = one.model_copy(update={"name": "other"})
    known = ("x", "y")
    views = [view("1", one, references=known), view("2", one, references=known), view("3", other, references=known)]
    found = [(r.label, r.baseline) for r in references([*views, view("4", new=make_table())])]
    assert found == [("x", "b"), ("y", "b"), ("x", "other"), ("y", "other")]


def test_a_label_is_a_part_of_an_anchor(entry: Make, make_table: Table):
    def safe(label: str) -> str:
        return replace(entry("A", make_table(6)), label=label).safe

    assert safe("Case 1/b-2") == "Case-20-1-2f-b-2d-2"
    assert safe("é") == "-e9-"
    long = [safe("x" * 100 + end) for end in "yz"]
    assert [len(text) for text in long] == [64 + 1 + 16] * 2
    assert long[0] != long[1]
    assert safe("x" * 64) == "x" * 64


def test_what_it_has_is_of_its_first_seed(entry: Make, make_table: Table):
    both, masks, broken = entry("A", make_table(6)), entry("B", make_table(6, classes=False)), entry("C")
    assert [(e.has("dice"), e.has("accuracy"), e.has("hd95")) for e in (both, masks, broken)] == [
        (True, True, False),
        (True, False, False),
        (False, False, False),
    ]


def table_of(numbers: list[int], dice: list[float]) -> SampleTable:
    """Samples of a thousand true and predicted pixels each."""
    n = len(numbers)
    area = np.full((n, 1), 1000)
    return sample_table(
        PHANTOM,
        [str(i) for i in numbers],
        [f"P{i}" for i in numbers],
        labels=[0] * n,
        measures={
            "truth_area": area,
            "intersection": np.array([[round(1000 * value)] for value in dice]),
            "pred_area": area,
        },
    )


NUMBERS = [50, 40, 30, 20, 10, 9, 8, 7, 6, 5, 4]
DICE = [0.9, 0.1, 0.5, 0.5, 0.3, 0.7, 0.8, 0.2, 0.95, 0.6, 0.4]


def chosen(entry: Entry, explained: tuple[int, ...] = ()) -> list[tuple[int, tuple[str, ...], int]]:
    found: list[Chosen] = choose(entry, [str(number) for number in explained])
    return [(int(entry.result.samples.id[one.at]), one.kinds, one.turn) for one in found]


def test_the_worst_and_those_around_the_median(entry: Make):
    """By Dice, and of the same Dice by id: 0.5 of sample 20 before 0.5 of sample 30."""
    table = table_of(NUMBERS, DICE)
    assert chosen(entry("A", table)) == [
        *((40, ("worst",), 0), (7, ("worst",), 1), (10, ("worst",), 2), (4, ("worst",), 3)),
        *((20, ("median",), 0), (30, ("median",), 1), (5, ("median",), 2)),
    ]


def test_of_the_same_dice_ids_come_as_people_count(entry: Make):
    table = changed(table_of([1, 2, 3], [0.5] * 3), id=["sample 10", "sample 9", "a/sample 9"])
    assert [table.id[one.at] for one in choose(entry("A", table), ())] == ["a/sample 9", "sample 9", "sample 10"]


def test_few_slices_are_chosen_once_each(entry: Make):
    table = table_of([3, 1, 2], [0.5, 0.5, 0.1])
    assert chosen(entry("A", table), (1, 99)) == [
        *((2, ("worst", "median"), 0), (1, ("worst", "median", "explained"), 0), (3, ("worst", "median"), 2)),
    ]
    assert chosen(entry("A", table_of([7], [0.5]))) == [(7, ("worst", "median"), 0)]


def test_those_that_changed_most_whatever_the_sign_and_the_order_of_rows(entry: Make):
    before = dict(zip(NUMBERS, DICE, strict=True)) | {6: 0.45, 8: 0.9, 40: 0.3}
    rows = sorted(before)
    runs = tuple(
        SeedRun(seed=k, fingerprint=None, samples=table_of(rows, [before[n] + shift for n in rows]))
        for k, shift in enumerate((-0.05, 0.05))
    )
    one = replace(entry("A", table_of(NUMBERS, DICE)), before=runs)
    found = changes(one)
    assert found is not None
    assert {n: round(c, 3) for n, c in zip(NUMBERS, found.tolist(), strict=True) if abs(c) > 1e-3} == {
        **{6: 0.5, 8: -0.1, 40: -0.2},
    }
    kinds = {number: (kinds, turn) for number, kinds, turn in chosen(one)}
    assert kinds[6] == (("changed",), 0)
    assert kinds[40] == (("worst", "changed"), 0)
    assert kinds[8] == (("changed",), 2)
    assert list(kinds)[7:9] == [6, 8]


def test_what_did_not_change_is_not_chosen_as_changed(entry: Make):
    table = table_of(NUMBERS, DICE)
    same = replace(entry("A", table), before=(SeedRun(seed=1, fingerprint=None, samples=table),))
    assert {kind for _, kinds, _ in chosen(same) for kind in kinds} == {"worst", "median"}


def test_changes_are_of_the_same_slices_alone(entry: Make, make_table: Table):
    table = table_of(NUMBERS, DICE)

    def before(*tables: SampleTable) -> bool:
        runs = tuple(SeedRun(seed=k, fingerprint=None, samples=t) for k, t in enumerate(tables))
        return changes(replace(entry("A", table), before=runs)) is not None

    assert before(table, table)
    assert not before()
    assert not before(table, changed(table, label=[1, *[0] * 10]))
    assert not before(table, with_measures(table, truth_area=[1001, *[1000] * 10]))
    assert not before(table_of(NUMBERS[1:], DICE[1:]))
    assert not before(table, changed(make_table(11, mask=False), id=table.id))
    types = entry("B", make_table(6, mask=False))
    assert changes(replace(types, before=types.result.runs)) is None


def test_without_masks_only_explained_slices_are_chosen(entry: Make, make_table: Table):
    types = entry("B", make_table(6, mask=False))
    assert chosen(types, (5, 2)) == [(2, ("explained",), 0), (5, ("explained",), 1)]
    assert choose(entry("C"), ("5", "2")) == []


def test_a_slice_of_several_kinds_has_its_foremost_place(entry: Make):
    table = table_of(NUMBERS, DICE)
    kinds = {number: (kinds, turn) for number, kinds, turn in chosen(entry("A", table), (50, 4, 40))}
    assert kinds[4] == (("worst", "explained"), 2)
    assert kinds[40] == (("worst", "explained"), 0)
    assert kinds[50] == (("explained",), 0)
