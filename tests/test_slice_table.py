from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.slice_table import SliceTable

ROWS = {
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
    ],
    ids=lambda value: str(value)[:40],
)
def test_boundary_columns_that_contradict_the_masks_are_refused(change, problem) -> None:
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
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_table_that_does_not_hold_together_is_refused(change, problem) -> None:
    with pytest.raises(ValidationError, match=problem):
        SliceTable(**{**ROWS, **change})
