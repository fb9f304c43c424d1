"""What `SavedPredictions` refuses: numbers that are none, files that are none, and what they would do."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from btlib.adapters import SavedPredictions
from btlib.errors import PredictionError

CLASSES = np.tile([0.5, 0.25, 0.25], (3, 1))

NUMBERS: dict[str, tuple[Any, str]] = {
    "zero": ([0, 1, 2], "expected whole numbers from 1, got 0"),
    "negative": ([1, -2, 3], "expected whole numbers from 1, got -2"),
    "fraction": ([1, 2.5, 3], r"expected whole numbers from 1, got 2\.5"),
    "NaN": ([1, np.nan, 3], "expected whole numbers from 1, got nan"),
    "infinite": ([1, np.inf, 3], "expected whole numbers from 1, got inf"),
    "texts": (["1", "2", "3"], "number: expected whole numbers"),
    "bytes": (np.array([b"1", b"2", b"3"]), "number: expected whole numbers|expected a numeric dtype"),
    "truths": ([True, False, True], "number: expected whole numbers"),
    "complex": ([1j, 2, 3], "number: expected whole numbers|expected a numeric dtype"),
    "twice": ([3, 1, 3], "has sample 3 twice"),
    "twice as a float": ([3.0, 1.0, 3.0], "has sample 3 twice"),
    "columns": ([[1], [2], [3]], r"expected whole numbers \[n\], got int64 \(3, 1\)"),
    "one alone": (np.array(3), "lengths differ"),
}


IDS: dict[str, tuple[Any, str]] = {
    "whole numbers": ([1, 2, 3], r"id: expected text \[n\], got int64 \(3,\)"),
    "truths": ([True, False, True], r"id: expected text \[n\], got bool"),
    "twice": (["a", "b", "a"], "has sample a twice"),
    "empty twice": (["", "b", ""], "has sample  twice"),
    "columns": ([["a"], ["b"], ["c"]], r"id: expected text \[n\], got .* \(3, 1\)"),
    "one alone": (np.array("a"), r"lengths differ|id: expected text \[n\]"),
    "too few": (["a", "b"], "lengths differ"),
}


def write(path: Path, names: Any, kind: str = "number") -> Path:
    if path.suffix == ".npz":
        np.savez(path, **{kind: np.array(names)}, class_prob=CLASSES)
    else:
        with h5py.File(path, "w") as file:
            text = isinstance(np.ravel(names)[0], str)
            file.create_dataset(
                kind, data=np.asarray(names).tolist() if text else names, dtype=h5py.string_dtype() if text else None
            )
            file["class_prob"] = CLASSES
    return path


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize(("numbers", "problem"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_are_none_are_refused(suffix: str, numbers: Any, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", numbers)
    if suffix == ".h5" and np.array(numbers).dtype.kind in "UO":
        problem = "expected a numeric dtype"
    with pytest.raises(PredictionError, match=problem) as caught:
        SavedPredictions(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize(("ids", "problem"), IDS.values(), ids=IDS)
def test_ids_that_are_none_are_refused(suffix: str, ids: Any, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{suffix}", ids, "id")
    with pytest.raises(PredictionError, match=problem) as caught:
        SavedPredictions(path)
    assert caught.value.where == str(path)


def test_ids_of_objects_are_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", id=np.array(["a", "b", "c"], dtype=object), class_prob=CLASSES)
    with pytest.raises(PredictionError, match="id: contains Python objects, which are never read"):
        SavedPredictions(tmp_path / "a.npz")


def test_texts_that_hdf5_holds_as_bytes_of_one_length_are_ids(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["id"], file["class_prob"] = np.array([b"x", b"a long one", b"7"]), CLASSES
    said = SavedPredictions(tmp_path / "a.h5").look_up(np.array(["7", "x"]), np.zeros((2, 1, 4, 4), np.float32))
    assert said.class_prob is not None
    assert said.class_prob.tolist() == CLASSES[[2, 0]].tolist()


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("dtype", ["i1", "u8", ">i4", "f4", "f8"])
def test_whole_numbers_of_any_dtype_are_taken(suffix: str, dtype: str, tmp_path: Path) -> None:
    saved = SavedPredictions(write(tmp_path / f"a{suffix}", np.array([7, 3, 100], dtype)))
    said = saved.look_up(np.array(["100", "7"]), np.zeros((2, 1, 4, 4), np.float32))
    assert said.class_prob is not None
    assert said.class_prob.tolist() == CLASSES[:2].tolist()


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(PredictionError, match="there is no such file"):
        SavedPredictions(tmp_path / "a.npz")


def test_a_file_that_points_at_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(24)))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["number"] = [1, 2, 3]
        file.create_dataset("class_prob", (3, 1), "f8", external=[(str(tmp_path / "secret"), 0, 24)])
    with pytest.raises(PredictionError, match="its values are in another file, which is never read"):
        SavedPredictions(tmp_path / "a.h5")


def test_a_file_that_changes_after_it_was_opened_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", [1, 2, 3])
    saved = SavedPredictions(path)
    path.unlink()
    with h5py.File(path, "w") as file:
        file["number"], file["class_prob"] = [1, 2], CLASSES[:2]
    with pytest.raises(PredictionError, match="class_prob has changed since it was opened"):
        saved.look_up(np.array(["1"]), np.zeros((1, 1, 4, 4), np.float32))
