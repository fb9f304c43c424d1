"""The cells of a plan: seeds by folds, in an order in which a case comes after those it needs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from btlib.cases import Case
from btlib.errors import SplitError, UnknownNameError
from btlib.runs import Cell
from btlib.runs.plan import RunPlan

Make = Callable[..., RunPlan]


def named(plan: RunPlan) -> list[str]:
    return [str(cell) for cell in plan.cells()]


def test_a_cell_is_a_case_a_seed_and_a_fold():
    assert str(Cell("D", 42)) == "D, seed 42"
    assert str(Cell("D", 42, "cvind-2")) == "D, cvind-2, seed 42"
    assert Cell("D", 42, measures=frozenset({"inference"})) == Cell("D", 42), "what is measured tells no cells apart"
    assert len({Cell("D", 42), Cell("D", 43), Cell("E", 42), Cell("D", 42, "cvind-2")}) == 4
    assert Cell("D", 42).measures == {"quality"}


def test_one_split_has_a_cell_for_each_seed(make_plan: Make):
    plan = make_plan({"X": (), "Y": ()}, seeds=2)
    assert named(plan) == ["X, seed 7", "X, seed 8", "Y, seed 7", "Y, seed 8"]
    assert {cell.fold for cell in plan.cells()} == {None}
    assert plan.splits == ("slice-seed42",)


def test_each_seed_has_all_folds(make_plan: Make):
    plan = make_plan({"X": ()}, split="cvind-4,cvind-2", seeds=2)
    assert [(cell.seed, cell.fold) for cell in plan.cells()] == [
        (7, "cvind-4"),
        (7, "cvind-2"),
        (8, "cvind-4"),
        (8, "cvind-2"),
    ]
    assert len(make_plan({"X": (), "Y": ()}, split="patient-5fold", seeds=3).cells()) == 2 * 3 * 5


def test_more_than_the_quality_is_measured_in_the_first_cell_of_a_case_alone(make_plan: Make):
    plan = make_plan({"X": ("inference", "explanation"), "Y": ()}, split="cvind-1,cvind-2", seeds=2)
    assert [(str(cell), sorted(cell.measures)) for cell in plan.cells() if len(cell.measures) > 1] == [
        ("X, cvind-1, seed 7", ["explanation", "inference", "quality"])
    ]
    assert all("quality" in cell.measures for cell in plan.cells())


def test_the_cells_of_one_case(make_plan: Make):
    plan = make_plan({"X": (), "Y": ("inference",)}, seeds=2)
    assert plan.cells("Y") == (Cell("Y", 7), Cell("Y", 8))
    assert [cell.measures for cell in plan.cells("Y")] == [{"quality", "inference"}, {"quality"}]
    assert plan.cells("beside") == (Cell("beside", 7), Cell("beside", 8)), "such as a reference that is not measured"


def test_the_cells_of_a_stage_are_the_first_ones_of_the_case(make_plan: Make):
    plan = make_plan({"X": ("inference",)}, split="cvind-1,cvind-2", seeds="1..4")
    assert (plan.stages, plan.seeds) == ((1, 3, 4), (7, 8, 9, 10))
    for seeds in plan.stages:
        assert plan.cells("X", seeds) == plan.cells("X")[: 2 * seeds]
    assert [cell.measures for cell in plan.cells("X", 1)] == [{"quality", "inference"}, {"quality"}]
    assert make_plan({"X": ()}, seeds=4).stages == (4,)


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        ({}, "XYZ"),
        ({"X": "Z"}, "ZXY"),
        ({"X": "Y", "Y": "Z"}, "ZYX"),
        ({"X": "ZY"}, "ZYX"),
        ({"Z": "XY"}, "XYZ"),
        ({"X": "W"}, "XYZ"),  # which is not in the plan
        ({"X": "Y", "Y": "X"}, "YXZ"),  # whoever starts, it ends
        ({"X": "X"}, "XYZ"),
    ],
)
def test_a_case_comes_after_those_it_needs(
    needs: dict[str, str],
    order: str,
    make_plan: Make,
    make_case: Callable[..., Case],
    register: Callable[..., None],
):
    register(*(replace(make_case(name), needs=tuple(needs.get(name, ""))) for name in "WXYZ"))
    assert "".join(cell.case for cell in make_plan(dict.fromkeys("XYZ", ())).cells()) == order


@pytest.mark.parametrize(("split", "error"), [("cvind-9", UnknownNameError), ("cvind-1,patient-5fold-1", SplitError)])
def test_what_is_no_split_is_refused(split: str, error: type[Exception], make_plan: Make):
    with pytest.raises(error):
        make_plan({"X": ()}, split=split).cells()
