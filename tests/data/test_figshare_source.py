"""A folder of slice files as a source: what it says of itself, and what it does not read to say so."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from btlib.data import load_dataset, read_slice
from btlib.data.source import SampleInfo
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.figshare.source import FigshareSource
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.errors import DataError

MakeSlice = Callable[..., Any]


def test_samples_are_the_files_in_the_order_of_their_numbers(folder: Path) -> None:
    (folder / "cvind.mat").touch()
    (folder / "7.mat").rename(folder / "007.mat")
    source = FigshareSource(folder.parent)
    assert (source.folder, source.place) == (folder.resolve(), str(folder.resolve()))
    names = ("1.mat", "2.mat", "3.mat", "007.mat", "10.mat", "11.mat")
    assert list(source.samples()) == [SampleInfo(str(int(name[:-4])), name) for name in names]
    read, stored = source.read(source.samples()[3]), read_slice(folder / "007.mat")
    assert (read.id, read.label, read.patient, read.volume) == ("7", stored.label, stored.patient, None)
    assert np.array_equal(read.image, [stored.image])
    assert np.array_equal(read.mask, [stored.mask])
    assert source.mark(read) == mask_signature(stored.mask)


def test_names_are_enough_until_it_is_asked_more(tmp_path: Path) -> None:
    for name in ("2.mat", "1.mat"):
        (tmp_path / name).touch()
    source = FigshareSource(tmp_path)
    assert [info.id for info in source.samples()] == ["1", "2"]
    assert source.signature()
    with pytest.raises(DataError, match="2 faulty files"):
        source.task  # noqa: B018
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no slices"):
        FigshareSource(tmp_path / "none")


@pytest.mark.parametrize("task", [FIGSHARE, PHANTOM], ids=lambda task: task.name)
def test_the_first_file_that_can_be_read_says_the_task(task: Any, tmp_path: Path, make_slice: MakeSlice) -> None:
    other = next(one.name for one in (FIGSHARE, PHANTOM) if one != task)
    make_slice(tmp_path / "2.mat", origin=task.name)
    make_slice(tmp_path / "10.mat", origin=other)
    (tmp_path / "1.mat").write_bytes(b"nothing")
    source = FigshareSource(tmp_path)
    assert source.task == task
    assert source.read(SampleInfo("2", "2.mat")).id == "2"
    with pytest.raises(DataError) as caught:
        source.read(SampleInfo("10", "10.mat"))
    assert caught.value.problem == f"expected a slice of {task.name!r} like 2.mat, found a slice of {other!r}"


def test_it_is_pickled_without_its_names(tmp_path: Path, make_slice: MakeSlice) -> None:
    """Else 100 000 names would go to a worker with each batch of samples; nor need it read a file for the task."""
    sizes = []
    for n in (1, 400):
        for number in range(2, n + 1):
            (tmp_path / f"{number}.mat").touch()
        make_slice(tmp_path / "1.mat", origin="phantom")
        raw = pickle.dumps(FigshareSource(tmp_path))
        assert b"2.mat" not in raw
        sizes.append(len(raw))
    assert sizes[0] == sizes[1] < 1000
    (tmp_path / "1.mat").rename(tmp_path / "7.mat")
    told: FigshareSource = pickle.loads(raw)
    assert (told.task, told.folder) == (PHANTOM, tmp_path.resolve())
    assert told.read(SampleInfo("7", "7.mat")).label == 1


def test_a_warm_start_reads_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No slice file is opened: neither for its pixels nor for the task."""
    cold = load_dataset(folder, 24)

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError(f"opened: {args}")

    for name in (
        "btlib.data.sources.figshare.source.read_slice",
        "btlib.data.sources.figshare.slice_file.read_slice",
        "btlib.hdf5.reading",
    ):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr(h5py, "File", refuse)
    warm = load_dataset(FigshareSource(folder), 24)
    assert (warm.fingerprint, warm.patients, warm.task) == (cold.fingerprint, cold.patients, FIGSHARE)
    assert np.array_equal(np.array(warm.images), np.array(cold.images))
    assert np.array_equal(np.array(warm.masks), np.array(cold.masks))


def test_a_warm_start_needs_no_content_of_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files are emptied, and only their signature says that they are as before."""
    monkeypatch.setattr(FigshareSource, "signature", lambda source: "as-before")
    cold = load_dataset(folder, 24)
    for path in folder.iterdir():
        path.write_bytes(b"")
    warm = load_dataset(folder, 24)
    assert (warm.fingerprint, warm.task) == (cold.fingerprint, FIGSHARE)
    assert np.array_equal(np.array(warm.images), np.array(cold.images))


def resized(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def renamed(path: Path) -> None:
    path.rename(path.with_name("02.mat"))


def copied(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


@pytest.mark.parametrize("change", [resized, Path.touch, renamed, copied, Path.unlink])
def test_its_signature_is_of_the_files(change: Callable[[Path], object], folder: Path) -> None:
    before = FigshareSource(folder).signature()
    (folder / "notes.txt").touch()
    (folder / "cvind.mat").touch()
    assert FigshareSource(folder.parent).signature() == before
    change(folder / "2.mat")
    assert FigshareSource(folder).signature() != before
