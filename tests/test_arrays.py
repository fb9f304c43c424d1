"""Arrays that belong together have the shapes that say so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.arrays import load_arrays
from btlib.errors import RecordError
from btlib.npz import write_npz

SHAPES = {"a": "n", "b": "nhw", "c": ""}


def test_what_is_asked_for_is_read(tmp_path: Path):
    write_npz(tmp_path / "a.npz", {"a": np.arange(3), "b": np.zeros((3, 5, 7)), "c": np.array(4), "more": np.ones(9)})
    found = load_arrays(tmp_path / "a.npz", [SHAPES], "again")
    assert {name: array.shape for name, array in found.items()} == {"a": (3,), "b": (3, 5, 7), "c": ()}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"b": np.zeros((2, 5, 7))}, "b of shape (3, h, w), got (2, 5, 7)"),
        ({"b": np.zeros((3, 5))}, "b of shape (3, h, w), got (3, 5)"),
        ({"b": np.zeros((3, 5, 7, 1))}, "b of shape (3, h, w), got (3, 5, 7, 1)"),
        ({"c": np.zeros(1)}, "c of shape (), got (1,)"),
        ({"a": np.array(3)}, "a of shape (n), got ()"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], expected: str, tmp_path: Path):
    path = tmp_path / "a.npz"
    write_npz(path, {"a": np.arange(3), "b": np.zeros((3, 5, 7)), "c": np.array(4)} | change)
    with pytest.raises(RecordError) as caught:
        load_arrays(path, [SHAPES], "run it again")
    assert (caught.value.problem, caught.value.where, caught.value.hint) == (
        f"expected {expected}",
        str(path),
        "run it again",
    )


OLDER = {"numbers": "n", "b": "nh"}
NEWEST, BEFORE = {"a": np.arange(3), "b": np.zeros((3, 5, 7)), "c": np.array(4)}, {"numbers": np.arange(3)}


@pytest.mark.parametrize(
    ("arrays", "shapes"),
    [
        (NEWEST, {"a": (3,), "b": (3, 5, 7), "c": ()}),
        (BEFORE | {"b": np.zeros((3, 5))}, {"numbers": (3,), "b": (3, 5)}),
        (NEWEST | BEFORE, {"a": (3,), "b": (3, 5, 7), "c": ()}),
    ],
    ids=["today's", "an older one", "both"],
)
def test_the_first_layout_of_which_all_is_there_is_taken(
    arrays: dict[str, Any], shapes: dict[str, tuple[int, ...]], tmp_path: Path
):
    write_npz(tmp_path / "a.npz", arrays)
    found = load_arrays(tmp_path / "a.npz", [SHAPES, OLDER], "again")
    assert {name: array.shape for name, array in found.items()} == shapes


def test_what_fits_no_layout_is_named_as_todays(tmp_path: Path):
    write_npz(tmp_path / "a.npz", {"a": np.arange(3), "c": np.array(4)})
    with pytest.raises(RecordError, match="expected the arrays a, b, c, but it cannot be read: b missing"):
        load_arrays(tmp_path / "a.npz", [SHAPES, OLDER], "again")
    write_npz(tmp_path / "a.npz", BEFORE | {"b": np.zeros((2, 5))})
    with pytest.raises(RecordError, match=r"expected b of shape \(3, h\), got \(2, 5\)"):
        load_arrays(tmp_path / "a.npz", [SHAPES, OLDER], "again")
