"""`cvind.mat`: where it is looked for, and what it must hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from btlib.data.sources.figshare.cvind import read_cvind
from btlib.errors import SplitError

FOLDS = [5, 1, 4, 2, 3, 1]


def as_v5(path: Path, folds: Any) -> None:
    savemat(path, {"cvind": folds})


def as_v73(path: Path, folds: Any) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cvind"] = folds


@pytest.mark.parametrize("write", [as_v5, as_v73])
@pytest.mark.parametrize("shape", [(6, 1), (1, 6)])
@pytest.mark.parametrize("dtype", [float, np.uint8])
def test_either_kind_of_matlab_file(
    write: Callable[[Path, Any], None], shape: tuple[int, int], dtype: Any, tmp_path: Path
):
    write(tmp_path / "cvind.mat", np.array(FOLDS, dtype).reshape(shape))
    found = read_cvind(tmp_path)
    assert (found.tolist(), found.dtype) == (FOLDS, np.int64)


def test_beside_the_slices_comes_before_above_their_data_folder(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    as_v5(tmp_path / "cvind.mat", FOLDS)
    assert read_cvind(data).tolist() == FOLDS
    as_v5(data / "cvind.mat", FOLDS[::-1])
    assert read_cvind(data).tolist() == FOLDS[::-1]
    assert read_cvind(tmp_path).tolist() == FOLDS


def test_above_another_folder_it_is_of_other_slices(tmp_path: Path):
    (tmp_path / "slices").mkdir()
    as_v5(tmp_path / "cvind.mat", FOLDS)
    with pytest.raises(SplitError, match=rf"not found in {tmp_path / 'slices'}\n"):
        read_cvind(tmp_path / "slices")
    with pytest.raises(SplitError, match=r"here: needs cvind\.mat: the data set has no folder"):
        read_cvind(None, "here")


@pytest.mark.parametrize("write", [as_v5, as_v73])
@pytest.mark.parametrize("folds", [[], [1.0, 2.5], [1.0, np.nan]], ids=str)
def test_what_are_no_folds(write: Callable[[Path, Any], None], folds: list[float], tmp_path: Path):
    write(tmp_path / "cvind.mat", np.array(folds, float))
    with pytest.raises(SplitError, match="expected whole numbers, got float64"):
        read_cvind(tmp_path)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"MATLAB 5.0 MAT-file"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path):
    (tmp_path / "cvind.mat").write_bytes(content)
    with pytest.raises(SplitError, match=r"cvind\.mat: cannot read the folds"):
        read_cvind(tmp_path)


@pytest.mark.parametrize("write", [as_v5, as_v73])
def test_a_file_of_something_else_is_named(write: Callable[[Path, Any], None], tmp_path: Path):
    if write is as_v5:
        savemat(tmp_path / "cvind.mat", {"folds": FOLDS})
    else:
        with h5py.File(tmp_path / "cvind.mat", "w") as file:
            file["folds"] = FOLDS
    with pytest.raises(SplitError, match=r"cvind\.mat: cannot read the folds"):
        read_cvind(tmp_path)


def test_text_is_no_fold(tmp_path: Path):
    as_v5(tmp_path / "cvind.mat", np.array(["1", "2"]))
    with pytest.raises(SplitError, match="expected whole numbers"):
        read_cvind(tmp_path)
