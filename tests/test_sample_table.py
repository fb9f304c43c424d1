from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation.aggregate import per_sample
from btlib.sample_table import BOUNDARY, OVERLAP, TRUTH, SampleTable, sample_table

MEASURES = (TRUTH, *OVERLAP, *BOUNDARY)
PLAIN = ("label", "patient", TRUTH, *OVERLAP)

ROWS: dict[str, Any] = {
    "id": ["3", "7"],
    "label": [0, 2],
    "patient": ["P1", None],
    "truth_area": [10, 4],
    "intersection": [5, 0],
    "pred_area": [6, 0],
    "class_prob": [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]],
}

BOUNDARY_ROWS = {**ROWS, "hd95": [2.5, 45.2548], "surface_dice_1px": [0.5, 0.0], "surface_dice_2px": [0.75, 0.0]}


def fields(rows: dict[str, Any]) -> dict[str, Any]:
    """Of a table of tumours: measures by their short names, probabilities by sample, and None for what is not there."""
    there = {name: values for name, values in rows.items() if values is not None}
    columns = {f"tumour/{name}": there.pop(name) for name in MEASURES if name in there}
    names = [*PHANTOM.classes, "a fourth"]
    probabilities = [list(column) for column in zip(*there.pop("class_prob", []), strict=True)]
    columns |= {f"probability/{names[k]}": column for k, column in enumerate(probabilities)}
    columns |= there.pop("columns", {})
    return {"classes": list(PHANTOM.classes), "structures": ["tumour"], "columns": columns, **there}


def table(rows: dict[str, Any]) -> SampleTable:
    return SampleTable(**fields(rows))


def test_every_number_is_derived_from_the_table() -> None:
    made = table(ROWS)
    assert per_sample(made, "dice") == pytest.approx([10 / 16, 0], abs=1e-6)
    assert per_sample(made, "iou") == pytest.approx([5 / 11, 0], abs=1e-6)
    assert made.predicted().tolist() == [0, 0]
    assert made.correct().tolist() == [True, False]
    frame = made.to_frame()
    assert frame["tumour/intersection"].tolist() == [5, 0]
    assert frame["probability/glioma"].tolist() == [0.2, 0.3]
    assert frame["correct"].tolist() == [True, False]


def test_it_survives_json_unchanged(make_table: Callable[..., SampleTable]) -> None:
    made = make_table(7, classes=False)
    again = SampleTable.model_validate_json(made.model_dump_json())
    assert again == made
    assert np.array_equal(per_sample(again, "dice"), per_sample(made, "dice"))


def test_boundary_columns_are_in_the_frame_and_in_json() -> None:
    made = table(BOUNDARY_ROWS)
    assert made.to_frame()["tumour/hd95"].tolist() == [2.5, 45.2548]
    assert SampleTable.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hd95": [-0.1, 45.2548]}, "hd95: a value is out of its range"),
        ({"hd95": [float("nan"), 45.2548]}, "finite"),
        ({"hd95": [None, 45.2548]}, "hd95: expected None if both masks are empty, and a value otherwise"),
        ({"surface_dice_2px": [1.1, 0.0]}, "surface_dice_2px: a value is out of its range"),
        ({"surface_dice_2px": [0.75, None]}, "surface_dice_2px: expected None if both masks are empty"),
        ({"surface_dice_1px": [0.8, 0.0]}, "larger than at 2 pixels"),
        ({"hd95": [2.5]}, "tumour/hd95: expected 2 values, got 1"),
        ({"hd95": [2.5, 0.0]}, "expected the values of a miss"),
        ({"surface_dice_2px": [0.75, 0.1]}, "expected the values of a miss"),
        ({"pred_area": [0, 3], "intersection": [0, 0]}, "expected the values of a miss"),
        ({"truth_area": [10, 0]}, "expected None if both masks are empty"),
        ({"truth_area": [0, 4], "intersection": [0, 0]}, "expected the values of a miss"),
        ({"surface_dice_1px": [-0.1, 0.0]}, "surface_dice_1px: a value is out of its range"),
        ({"surface_dice_1px": [0.5, 0.0, 0.0]}, "tumour/surface_dice_1px: expected 2 values, got 3"),
        ({"surface_dice_2px": [0.75]}, "tumour/surface_dice_2px: expected 2 values, got 1"),
        *(({name: None}, f"is present, but tumour/{name} is missing") for name in BOUNDARY),
        ({"intersection": None, "pred_area": None}, "tumour/hd95 needs tumour/intersection"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_boundary_columns_that_contradict_the_masks_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        table({**BOUNDARY_ROWS, **change})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"label": [0]}, "label: expected 2 values, got 1"),
        ({"class_prob": [[0.7, 0.2, 0.1]]}, "columns.probability/meningioma: expected 2 values, got 1"),
        ({"label": [0, 3]}, "label: expected 0…2, got 3"),
        ({"label": None}, "label: expected one label for each sample if there are classes"),
        ({"classes": [], "class_prob": None}, "label: expected .* otherwise None"),
        ({"id": ["3", "3"]}, "more than once"),
        ({"id": ["3", ""]}, "at least 1 character"),
        ({"id": [3, 7]}, "valid string"),
        ({"intersection": None}, "tumour/pred_area is present, but tumour/intersection is missing"),
        ({"intersection": [7, 0]}, "larger than one of the two masks"),
        ({"pred_area": [6, -1]}, "tumour/pred_area: expected whole numbers from 0"),
        ({"class_prob": [[0.7, 0.2, 0.1], [0.6, 0.6, 0.1]]}, "must sum to 1"),
        (
            {"class_prob": [[0.7, 0.3], [0.6, 0.4]]},
            "probability/meningioma is present, but probability/pituitary is missing",
        ),
        ({"class_prob": [[float("nan"), 0.5, 0.5], [1.0, 0.0, 0.0]]}, "finite"),
        ({"class_prob": [[None, 0.5, 0.5], [1.0, 0.0, 0.0]]}, "expected numbers in 0…1 for each sample and class"),
        ({"intersection": None, "pred_area": None, "class_prob": None}, "expected measures of masks"),
        ({"id": [], "label": []}, "at least 1"),
        ({"dice": [1.0, 1.0]}, "Extra inputs"),
        ({"truth_area": None}, "tumour/truth_area is missing"),
        ({"truth_area": [10.5, 4]}, "tumour/truth_area: expected whole numbers from 0"),
        ({"truth_area": [10.0, 4]}, "tumour/truth_area: expected whole numbers from 0"),
        ({"truth_area": [10, None]}, "tumour/truth_area: expected whole numbers from 0"),
        ({"truth_area": [10, -1]}, "tumour/truth_area: expected whole numbers from 0"),
        ({"truth_area": [10, 2**53]}, "tumour/truth_area: expected whole numbers from 0"),
        ({"truth_area": [10, -1], "intersection": None, "pred_area": None}, "tumour/truth_area: expected whole"),
        ({"intersection": [5, -1]}, "tumour/intersection: expected whole numbers from 0"),
        ({"label": [-1, 2]}, "greater than or equal to 0"),
        ({"label": ["0", 2]}, "valid integer"),
        ({"pred_area": None}, "tumour/intersection is present, but tumour/pred_area is missing"),
        ({"truth_area": [4, 4]}, "intersection: larger than one"),
        ({"pred_area": [4, 0]}, "intersection: larger than one"),
        ({"intersection": [5, 1], "pred_area": [6, 0]}, "intersection: larger than one"),
        ({"class_prob": [[0.7, 0.2, 0.1], [0.6, 0.3, 0.0979]]}, "must sum to 1"),
        ({"class_prob": [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1021]]}, "must sum to 1"),
        ({"class_prob": [[1.2, -0.1, -0.1], [0.6, 0.3, 0.1]]}, "expected numbers in 0…1"),
        ({"class_prob": [[0.5, 0.2, 0.1, 0.2], [0.6, 0.3, 0.1, 0.0]]}, "'probability/a fourth' is neither a measure"),
        *(
            ({name: ROWS[name] * 2}, f"{name}: expected 2 values, got 4")
            for name in ("label", "patient", TRUTH, *OVERLAP)
        ),
        ({"id": ["3", "7", "8"]}, "label: expected 3 values, got 2"),
        ({"volume": ["V"]}, "volume: expected 2 values, got 1"),
        ({"volume": ["V", None]}, "valid string"),
        ({"volume": ["V", "V"], "patient": ["P1", "P2"]}, "'V' has samples of patients 'P1' and 'P2'"),
        ({"structures": ["tumour", "tumour"]}, "expected different names without a slash"),
        ({"classes": ["a", "b/c", "d"], "class_prob": None}, "expected different names without a slash"),
        ({"columns": {"own": [1.0]}}, "columns.own: expected 2 values, got 1"),
        ({"columns": {"own": ["1", "2"]}}, "valid"),
        ({"columns": {"": [1, 2]}}, "'' is neither a measure of a structure nor of a class"),
        ({"columns": {"tumour/own": [1, 2]}}, "'tumour/own' is neither"),
        ({"columns": {"oedema/hd95": [1, 2]}}, "'oedema/hd95' is neither"),
        ({"structures": ["tumour", "oedema"]}, "oedema/truth_area is missing"),
        ({"structures": []}, "is neither a measure of a structure nor of a class"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_table_that_does_not_hold_together_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        table({**ROWS, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"intersection": [6, 0], "pred_area": [6, 9]},
        {"intersection": [10, 0], "pred_area": [12, 0]},
        {"class_prob": [[0.7, 0.2, 0.1019], [0.6, 0.3, 0.0981]]},
        {"class_prob": [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]},
        {"truth_area": [10, 0]},
        {"truth_area": [10, 2**53 - 1]},
        {"class_prob": None},
        {"intersection": None, "pred_area": None},
        {"volume": ["V", "V"], "patient": ["P1", "P1"]},
        {"columns": {"own": [0.5, None], "another of mine": [-3, 10**20]}},
        {"intersection": None, "pred_area": None, "class_prob": None, "columns": {"own": [1, 2]}},
        {"classes": [], "label": None, "class_prob": None},
    ],
    ids=str,
)
def test_a_table_at_its_bounds(change: dict[str, Any]) -> None:
    made = table(ROWS | change)
    expected = {"label": None, "volume": None, **fields(ROWS | change)}
    assert made.model_dump() == expected
    assert SampleTable.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    "change",
    [
        {"hd95": [0.0, 45.2548], "surface_dice_1px": [1.0, 0.0], "surface_dice_2px": [1.0, 0.0]},
        {"surface_dice_1px": [0.75, 0.0]},
        {"truth_area": [10, 0], "pred_area": [6, 3]},
        {
            **{"truth_area": [10, 0], "hd95": [2.5, None]},
            **{"surface_dice_1px": [0.5, None], "surface_dice_2px": [0.75, None]},
        },
    ],
    ids=str,
)
def test_distances_at_their_bounds(change: dict[str, Any]) -> None:
    made, rows = table(BOUNDARY_ROWS | change), BOUNDARY_ROWS | change
    assert [made.columns[f"tumour/{name}"] for name in BOUNDARY] == [rows[name] for name in BOUNDARY]
    for name in BOUNDARY:
        expected = np.array(rows[name], dtype=np.float64)[:, None]
        np.testing.assert_array_equal(made.measure(name), expected)


def test_the_frame_has_all_columns_of_what_there_is() -> None:
    both = table(BOUNDARY_ROWS | {"columns": {"own": [0.5, None]}})
    first = ["id", "label", "patient", "tumour/truth_area"]
    masks, distances = ["tumour/intersection", "tumour/pred_area"], [f"tumour/{name}" for name in BOUNDARY]
    types = [f"probability/{name}" for name in PHANTOM.classes]
    frame = both.to_frame()
    assert list(frame) == [*first, *masks, *distances, *types, "own", "predicted", "correct"]
    expected = {
        **{name: BOUNDARY_ROWS[name] for name in ("id", "label", "patient")},
        **{f"tumour/{name}": BOUNDARY_ROWS[name] for name in MEASURES},
        **dict(zip(types, ([0.7, 0.6], [0.2, 0.3], [0.1, 0.1]), strict=True)),
        **{"own": [0.5, None], "predicted": [0, 0], "correct": [True, False]},
    }
    for name in frame:
        assert frame[name].astype(object).where(frame[name].notna(), None).tolist() == expected[name], name
    assert list(table(ROWS | {"class_prob": None}).to_frame()) == [*first, *masks]
    no_masks = {"intersection": None, "pred_area": None}
    assert list(table(ROWS | no_masks).to_frame()) == [*first, *types, "predicted", "correct"]
    volumes = table(ROWS | {"volume": ["V", "W"], "class_prob": None, "label": None, "classes": []}).to_frame()
    assert list(volumes) == ["id", "patient", "volume", "tumour/truth_area", *masks]


def test_a_table_says_what_it_has() -> None:
    for columns, has in (
        (BOUNDARY_ROWS, (True, True, True)),
        (ROWS, (True, False, True)),
        (ROWS | {"class_prob": None}, (True, False, False)),
        (ROWS | {"intersection": None, "pred_area": None}, (False, False, True)),
        (ROWS | {"classes": [], "label": None, "class_prob": None}, (True, False, False)),
    ):
        made = table(columns)
        assert (made.has_mask, made.has_boundary, made.has_classes) == has
        assert made.n == 2


def test_of_equal_probabilities_the_first_type_counts() -> None:
    made = table(ROWS | {"class_prob": [[0.2, 0.4, 0.4], [0.0, 0.2, 0.8]]})
    assert made.predicted().tolist() == [1, 2]
    assert made.correct().tolist() == [False, True]


def test_arrays_are_those_of_the_columns() -> None:
    made = table(BOUNDARY_ROWS)
    intersection, pred, truth = made.overlap()
    assert (intersection.tolist(), pred.tolist(), truth.tolist()) == ([[5], [0]], [[6], [0]], [[10], [4]])
    assert {part.dtype for part in (intersection, pred, truth, made.labels)} == {np.dtype(np.int64)}
    assert made.truth_area.tolist() == truth.tolist()
    assert made.class_prob.tolist() == ROWS["class_prob"]
    assert made.labels.tolist() == ROWS["label"]


def test_equality_is_of_what_a_table_says() -> None:
    """Arrays that were made of one of the two make no difference, and any field does."""
    one, other = table(BOUNDARY_ROWS), table(BOUNDARY_ROWS)
    assert one.overlap()
    assert len(one.class_prob) == 2
    assert one == other
    assert other == one
    for change in ({"id": ["3", "8"]}, {"patient": ["P1", "P2"]}, {"volume": ["V", "W"]}, {"hd95": [2.6, 45.2548]}):
        assert one != table(BOUNDARY_ROWS | change)
    assert one != one.model_dump()


def test_what_is_shared_cannot_be_changed() -> None:
    """Arrays are made once: whoever wrote into one would change what others read, and the table would not say so."""
    made = table(BOUNDARY_ROWS)
    for values in (made.class_prob, made.measure("hd95"), made.truth_area, *made.overlap()):
        with pytest.raises(ValueError, match="read-only"):
            values[:] = 0
    with pytest.raises(ValidationError, match="frozen"):
        made.columns = {}


def test_a_table_of_arrays_is_that_of_its_columns() -> None:
    measures = {
        "truth_area": np.array([[10], [0]]),
        "intersection": np.array([[5], [0]], dtype=np.uint8),
        "pred_area": np.array([[6], [0]]),
        "hd95": np.array([[2.5], [np.nan]]),
        "surface_dice_1px": np.array([[0.5], [np.nan]], dtype=np.float32),
        "surface_dice_2px": np.array([[0.75], [np.nan]]),
    }
    found = sample_table(
        PHANTOM,
        ["3", "7"],
        ["P1", None],
        labels=np.array([0, 2]),
        volumes=("V", "W"),
        measures=measures,
        class_prob=np.array(ROWS["class_prob"]),
    )
    nothing = {name: [BOUNDARY_ROWS[name][0], None] for name in BOUNDARY}
    expected = table(ROWS | nothing | {"truth_area": [10, 0], "volume": ["V", "W"]})
    assert found.model_dump() == expected.model_dump()
    assert type(found.columns["tumour/intersection"][0]) is int
    counts = {name: measures[name] for name in (TRUTH, *OVERLAP)}
    bare = sample_table(PHANTOM, ["3", "7"], ["P1", None], labels=[0, 2], measures=counts)
    assert bare == table(ROWS | {"truth_area": [10, 0], "class_prob": None})


FOLD: dict[str, Any] = {
    **BOUNDARY_ROWS,
    "id": ["30", "5", "1"],
    "label": [1, 1, 0],
    "patient": ["P9", "P1", "P2"],
    "truth_area": [7, 8, 0],
    "intersection": [1, 2, 0],
    "pred_area": [3, 4, 0],
    "class_prob": [[0.25, 0.5, 0.25], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05]],
    "hd95": [1.5, 3.0, None],
    "surface_dice_1px": [0.25, 0.5, None],
    "surface_dice_2px": [0.5, 0.75, None],
    "columns": {"mine": [None, 2.5, 3]},
}


def test_tables_together_have_the_rows_of_all_in_their_order() -> None:
    """More of them in one than in the other, and values that are none."""
    one, two = table({**BOUNDARY_ROWS, "columns": {"mine": [0.5, None]}}), table(FOLD)
    both = SampleTable.together([two, one])
    assert both.id == ["30", "5", "1", "3", "7"]
    assert both.label == [1, 1, 0, 0, 2]
    assert both.patient == ["P9", "P1", "P2", "P1", None]
    assert both.volume is None
    assert both.columns["mine"] == [None, 2.5, 3, 0.5, None]
    assert both.columns["tumour/hd95"] == [1.5, 3.0, None, 2.5, 45.2548]
    np.testing.assert_array_equal(both.overlap()[0][:, 0], [1, 2, 0, 5, 0])
    np.testing.assert_array_equal(both.class_prob, np.concatenate([two.class_prob, one.class_prob]))
    assert (both.classes, both.structures) == (one.classes, one.structures)
    assert SampleTable.together([one]) == one
    assert SampleTable.together([one, two]).id == ["3", "7", "30", "5", "1"]


def test_volumes_of_tables_together() -> None:
    one = table({**ROWS, "volume": ["v1", "v2"]})
    two = table({**ROWS, "id": ["8", "9"], "patient": ["P3", "P3"], "volume": ["v3", "v3"]})
    assert SampleTable.together([one, two]).volume == ["v1", "v2", "v3", "v3"]


OTHER = {**ROWS, "id": ["8", "9"]}
FOUR = [*PHANTOM.classes, "a fourth"]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({**OTHER, "id": ["8", "7"]}, "sample 7 is in 2 of the tables"),
        ({**OTHER, "class_prob": None}, "different columns, classes or structures"),
        ({**OTHER, "columns": {"mine": [1, 2]}}, "different columns, classes or structures"),
        (
            {**OTHER, "classes": FOUR, "class_prob": [[0.7, 0.1, 0.1, 0.1]] * 2},
            "different columns, classes or structures",
        ),
        ({**OTHER, "volume": ["a", "b"]}, "some tables have labels or volumes, and others have none"),
    ],
)
def test_what_does_not_belong_together(other: dict[str, Any], problem: str) -> None:
    one, two = table(ROWS), table(other)
    for tables in ([one, two], [two, one]):
        with pytest.raises(ValueError, match=problem):
            SampleTable.together(tables)


def test_classes_in_another_order_do_not_belong_together() -> None:
    """The same columns, and yet labels that say something else."""
    made = table(OTHER)
    turned = SampleTable(**made.model_dump() | {"classes": made.classes[::-1]})
    with pytest.raises(ValueError, match="different columns, classes or structures"):
        SampleTable.together([table(ROWS), turned])
