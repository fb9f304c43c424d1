"""Arrays come back as they were written, or are refused; no file makes a Python object, or takes all the memory."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from btlib import files
from btlib.files import DamagedFileError
from btlib.npz import read_npz, write_npz

ARRAYS: dict[str, Any] = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False]), "name": "ä text"}


@given(hnp.arrays(st.sampled_from(["?", "<i8", "<f4", "<U3"]), hnp.array_shapes(min_dims=0, max_side=3, min_side=0)))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    for order in ("C", "F"):
        write_npz(path, {"a": np.asarray(array, order=order)})  # type: ignore[call-overload]
        found = read_npz(path, ["a"])["a"]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()


def test_only_what_is_asked_for_is_given(tmp_path: Path):
    write_npz(tmp_path / "a.npz", ARRAYS)
    assert list(read_npz(tmp_path / "a.npz", ["b"], optional=["a", "c"])) == ["b", "a"]
    with pytest.raises(DamagedFileError, match=r"expected the arrays c, d, found a, b, btlib_digest, name"):
        read_npz(tmp_path / "a.npz", ["a", "c", "d"])
    with np.load(tmp_path / "a.npz") as others:
        assert sorted(others) == ["a", "b", "btlib_digest", "name"]


def test_files_of_others_have_no_digest(tmp_path: Path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    assert np.array_equal(read_npz(tmp_path / "a.npz", ["a"])["a"], ARRAYS["a"])


def test_no_objects_are_written(tmp_path: Path):
    with pytest.raises(ValueError, match=r"arrays of Python objects cannot be written: a$"):
        write_npz(tmp_path / "b.npz", {"a": np.array([{}], dtype=object), "b": np.arange(3)})
    assert not list(tmp_path.iterdir())


class Bomb:
    """Pickled, it makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def of_shape(shape: str) -> bytes:
    """A header that says so, and no values."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_a_pickle_is_never_run(tmp_path: Path):
    bomb = np.array([Bomb(tmp_path / "ran")], dtype=object)
    np.savez(tmp_path / "a.npz", a=bomb)
    for path in (
        tmp_path / "a.npz",
        packed(tmp_path / "b.npz", {"a.npy": pickle.dumps(Bomb(tmp_path / "ran"))}),
    ):
        with pytest.raises(DamagedFileError):
            read_npz(path, ["a"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            {"a.npy": of_shape("(10000000000000,)")},
            r"expected 80000000000000 bytes for \(10000000000000,\) of float64, found 0",
        ),
        ({"a.npy": of_shape("(-1,)")}, r"bytes for \(-1,\) of float64, found 0"),
        ({"a.npy": of_shape("(2,)") + bytes(17)}, r"expected 16 bytes for \(2,\) of float64, found 17"),
        ({"a.npy": of_shape("()")}, r"expected 8 bytes for \(\) of float64, found 0"),
        ({"a.npy": of_shape("nonsense")}, "cannot be read"),
        ({"a.npy": b"\x93NUMPY\x09\x00"}, "expected version 1.0 or 2.0"),
        ({"a.npy": b""}, "cannot be read"),
    ],
)
def test_sizes_are_those_that_are_there(tmp_path: Path, members: dict[str, bytes], problem: str):
    with pytest.raises(DamagedFileError, match=problem):
        read_npz(packed(tmp_path / "a.npz", members), ["a"])


def test_what_does_not_fit_into_memory_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hundred megabytes of zeros are a hundred kilobytes in the file."""
    path = packed(tmp_path / "a.npz", {"a.npy": npy(np.zeros(10**6))})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**6))
    with pytest.raises(DamagedFileError, match=r"needs 0\.0 GiB of memory, 0\.0 GiB are free"):
        read_npz(path, ["a"])


def test_of_two_arrays_of_one_name_neither_is_taken(tmp_path: Path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(np.zeros(1)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.npy", npy(np.ones(1)))
    with pytest.raises(DamagedFileError, match="contains an array twice"):
        read_npz(path, ["a"])


def test_what_is_no_file_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "a.npz")
    for path in (tmp_path, tmp_path / "a.npz"):
        with pytest.raises(DamagedFileError, match="expected a file, found a folder, pipe"):
            read_npz(path, ["a"])
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz", ["a"])


def test_arrays_of_another_file_do_not_fit_the_digest(tmp_path: Path):
    """As if one member had been replaced by a sound one; and what btlib wrote cannot pass for a file of others."""
    write_npz(tmp_path / "a.npz", {"a": np.zeros(3), "b": np.zeros(2)})
    with np.load(tmp_path / "a.npz") as found:
        arrays = dict(found)
    for change, comment, problem in (
        ({"b": np.ones(2)}, True, "does not match its digest"),
        ({}, False, "its list of arrays is damaged"),
        ({"btlib_digest": None}, True, "its list of arrays is damaged"),
    ):
        members = {name: array for name, array in (arrays | change).items() if array is not None}
        np.savez(tmp_path / "b.npz", **members)
        if comment:
            with zipfile.ZipFile(tmp_path / "b.npz", "a") as packed, zipfile.ZipFile(tmp_path / "a.npz") as sound:
                packed.comment = sound.comment
        with pytest.raises(DamagedFileError, match=problem):
            read_npz(tmp_path / "b.npz", ["a"])


def test_a_digest_at_the_end_of_a_file(tmp_path: Path):
    path = tmp_path / "a"
    for size in (0, 1, 2**20 - 1, 2**20 + 7):
        content = np.random.default_rng(size).bytes(size)
        path.write_bytes(content)
        files.append_digest(path)
        files.require_digest(path)
        whole = path.read_bytes()
        for bad in (
            content,
            whole[:-1],
            whole + b"!",
            whole[1:],
            whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
            b"",
            whole[-78:-1],
        ):
            path.write_bytes(bad)
            with pytest.raises(DamagedFileError):
                files.require_digest(path)
