from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.slice_table import BOUNDARY, SliceTable

ROWS: dict[str, Any] = {
    "number": [3, 7],
    "label": [0, 2],
    "patient": ["P1", None],
    "truth_area": [10, 4],
    "intersection": [5, 0],
    "pred_area": [6, 0],
    "class_prob": [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]],
}

BOUNDARY_ROWS = {**ROWS, "hd95": [2.5, 45.2548], "surface_dice_1px": [0.5, 0.0], "surface_dice_2px": [0.75, 0.0]}


def test_every_number_is_derived_from_the_table() -> None:
    table = SliceTable(**ROWS)
    assert table.dice() == pytest.approx([10 / 16, 0], abs=1e-6)
    assert table.iou() == pytest.approx([5 / 11, 0], abs=1e-6)
    assert table.predicted().tolist() == [0, 0]
    assert table.correct().tolist() == [True, False]
    frame = table.to_frame()
    assert frame["dice"].tolist() == table.dice().tolist()
    assert frame["prob_glioma"].tolist() == [0.2, 0.3]
    assert frame["correct"].tolist() == [True, False]


def test_it_survives_json_unchanged(make_table: Callable[..., SliceTable]) -> None:
    table = make_table(7, classes=False)
    again = SliceTable.model_validate_json(table.model_dump_json())
    assert again == table
    assert np.array_equal(again.dice(), table.dice())


def test_boundary_columns_are_in_the_frame_and_in_json() -> None:
    table = SliceTable(**BOUNDARY_ROWS)
    assert table.to_frame()["hd95"].tolist() == [2.5, 45.2548]
    assert SliceTable.model_validate_json(table.model_dump_json()) == table


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hd95": [-0.1, 45.2548]}, "greater than or equal to 0"),
        ({"hd95": [float("nan"), 45.2548]}, "finite"),
        ({"surface_dice_2px": [1.1, 0.0]}, "less than or equal to 1"),
        ({"surface_dice_1px": [0.8, 0.0]}, "larger than at 2 pixels"),
        ({"hd95": [2.5]}, "hd95: expected 2 values"),
        ({"hd95": [2.5, 0.0]}, "not those of a miss"),
        ({"surface_dice_2px": [0.75, 0.1]}, "not those of a miss"),
        ({"pred_area": [0, 3], "intersection": [0, 0]}, "not those of a miss"),
        ({"truth_area": [10, 0]}, "no value where both masks are empty"),
        ({"truth_area": [0, 4], "intersection": [0, 0]}, "not those of a miss"),
        ({"surface_dice_1px": [-0.1, 0.0]}, "greater than or equal to 0"),
        ({"surface_dice_1px": [0.5, 0.0, 0.0]}, "surface_dice_1px: expected 2 values"),
        ({"surface_dice_2px": [0.75]}, "surface_dice_2px: expected 2 values"),
        *(({name: None}, "expected all, beside masks, or none") for name in BOUNDARY),
        ({"intersection": None, "pred_area": None}, "expected all, beside masks, or none"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_boundary_columns_that_contradict_the_masks_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SliceTable(**{**BOUNDARY_ROWS, **change})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"label": [0]}, "label: expected 2 values, got 1"),
        ({"class_prob": [[0.7, 0.2, 0.1]]}, "class_prob: expected 2 values"),
        ({"label": [0, 3]}, "less than 3"),
        ({"number": [3, 3]}, "more than once"),
        ({"intersection": None}, "expected both or neither"),
        ({"intersection": [7, 0]}, "larger than one of the two masks"),
        ({"pred_area": [6, -1]}, "greater than or equal to 0"),
        ({"class_prob": [[0.7, 0.2, 0.1], [0.6, 0.6, 0.1]]}, "must sum to 1"),
        ({"class_prob": [[0.7, 0.3], [0.6, 0.4]]}, "at least 3"),
        ({"class_prob": [[float("nan"), 0.5, 0.5], [1.0, 0.0, 0.0]]}, "finite"),
        ({"intersection": None, "pred_area": None, "class_prob": None}, "expected masks"),
        ({"number": [], "label": []}, "at least 1"),
        ({"dice": [1.0, 1.0]}, "Extra inputs"),
        ({"truth_area": [10.5, 4]}, "valid integer"),
        ({"truth_area": [10, -1]}, "greater than or equal to 0"),
        ({"intersection": [5, -1]}, "greater than or equal to 0"),
        ({"label": [-1, 2]}, "greater than or equal to 0"),
        ({"label": ["0", 2]}, "valid integer"),
        ({"pred_area": None}, "expected both or neither"),
        ({"truth_area": [4, 4]}, "intersection: larger than one"),
        ({"pred_area": [4, 0]}, "intersection: larger than one"),
        ({"intersection": [5, 1], "pred_area": [6, 0]}, "intersection: larger than one"),
        ({"class_prob": [[0.7, 0.2, 0.1], [0.6, 0.3, 0.0979]]}, "must sum to 1"),
        ({"class_prob": [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1021]]}, "must sum to 1"),
        ({"class_prob": [[1.2, -0.1, -0.1], [0.6, 0.3, 0.1]]}, "less than or equal to 1"),
        ({"class_prob": [[0.5, 0.2, 0.1, 0.2], [0.6, 0.3, 0.1, 0.0]]}, "at most 3"),
        *(
            ({name: values * 2}, f"{name}: expected 2 values, got 4")
            for name, values in ROWS.items()
            if name != "number"
        ),
        ({"number": [3, 7, 8]}, "label: expected 3 values, got 2"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_table_that_does_not_hold_together_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SliceTable(**{**ROWS, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"intersection": [6, 0], "pred_area": [6, 9]},
        {"intersection": [10, 0], "pred_area": [12, 0]},
        {"class_prob": [[0.7, 0.2, 0.1019], [0.6, 0.3, 0.0981]]},
        {"class_prob": [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]},
        {"truth_area": [10, 0]},
        {"class_prob": None},
        {"intersection": None, "pred_area": None},
    ],
    ids=str,
)
def test_a_table_at_its_bounds(change: dict[str, Any]) -> None:
    assert SliceTable(**ROWS | change).model_dump(exclude_none=True) == {k: v for k, v in (ROWS | change).items() if v}


@pytest.mark.parametrize(
    "change",
    [
        {"hd95": [0.0, 45.2548], "surface_dice_1px": [1.0, 0.0], "surface_dice_2px": [1.0, 0.0]},
        {"surface_dice_1px": [0.75, 0.0]},
        {"truth_area": [10, 0], "pred_area": [6, 3]},
    ],
    ids=str,
)
def test_distances_at_their_bounds(change: dict[str, Any]) -> None:
    table = SliceTable(**BOUNDARY_ROWS | change)
    assert [getattr(table, name) for name in BOUNDARY] == [(BOUNDARY_ROWS | change)[name] for name in BOUNDARY]


def test_the_frame_has_all_columns_of_what_there_is() -> None:
    both = SliceTable(**BOUNDARY_ROWS)
    first = ["number", "label", "patient", "truth_area"]
    masks, distances = ["intersection", "pred_area", "dice", "iou"], ["hd95", "surface_dice_1px", "surface_dice_2px"]
    types = ["predicted", "correct", "prob_meningioma", "prob_glioma", "prob_pituitary"]
    frame = both.to_frame()
    assert list(frame) == [*first, *masks, *distances, *types]
    derived = {"dice": both.dice(), "iou": both.iou(), "predicted": [0, 0], "correct": [True, False]}
    prob = {"prob_meningioma": [0.7, 0.6], "prob_glioma": [0.2, 0.3], "prob_pituitary": [0.1, 0.1]}
    for name, values in (BOUNDARY_ROWS | derived | prob).items():
        if name in frame:
            assert frame[name].astype(object).where(frame[name].notna(), None).tolist() == list(values), name
    assert list(SliceTable(**ROWS | {"class_prob": None}).to_frame()) == [*first, *masks]
    assert list(SliceTable(**ROWS | {"intersection": None, "pred_area": None}).to_frame()) == [*first, *types]


def test_a_table_says_what_it_has() -> None:
    for columns, has in (
        (BOUNDARY_ROWS, (True, True, True)),
        (ROWS, (True, False, True)),
        (ROWS | {"class_prob": None}, (True, False, False)),
        (ROWS | {"intersection": None, "pred_area": None}, (False, False, True)),
    ):
        table = SliceTable(**columns)
        assert (table.has_mask, table.has_boundary, table.has_classes) == has
        assert table.n == 2


def test_of_equal_probabilities_the_first_type_counts() -> None:
    table = SliceTable(**ROWS | {"class_prob": [[0.2, 0.4, 0.4], [0.0, 0.2, 0.8]]})
    assert table.predicted().tolist() == [1, 2]
    assert table.correct().tolist() == [False, True]
