"""What a cached entry is found by, and which locks guard its making."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from btlib.data import cache as module
from btlib.data import entry, load_dataset, read_slice
from btlib.data.digest import image_digest, mask_digest
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.recognise import mask_signature
from btlib.errors import BtlibWarning, DataError
from btlib.types import Slice

RNG = np.random.default_rng(0)
IMAGE, MASK = RNG.integers(0, 4000, (37, 52)).astype(np.int16), np.zeros((37, 52), bool)
MASK[5:20, 30:37] = True
OTHER_MASK = MASK.copy()
OTHER_MASK[0, 0] = True  # one pixel, which is not seen at 24 pixels
SLICE = Slice(7, IMAGE, MASK, 1, "P7", "figshare")
CHANGES = {
    "number": 8,
    "label": 2,
    "patient": None,
    "origin": "phantom",
    "image": IMAGE + np.int16(1),
    "mask": OTHER_MASK,
}


@pytest.fixture
def request_of(tmp_path: Path) -> "module._Request":
    return module._Request(tmp_path, tmp_path / "home", ["1.mat"], 24, "thesis")


def test_an_entry_is_found_by_all_that_decides_its_pixels(
    request_of: "module._Request", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The content, the size, the scaling and the version of what makes them; not the folder."""
    places = [
        request_of.entry("c"),
        request_of.entry("d"),
        replace(request_of, image_size=23).entry("c"),
        replace(request_of, scaling="percentile").entry("c"),
    ]
    for version in ("PREPROCESSING", "_LAYOUT"):
        with monkeypatch.context() as patch:
            patch.setattr(module, version, -1)
            places.append(request_of.entry("c"))
    assert len(set(places)) == 6
    assert replace(request_of, home=tmp_path / "other", names=["2.mat"]).entry("c") == places[0]


def test_a_request_has_a_lock_of_its_own(request_of: "module._Request", tmp_path: Path):
    """One that waits for another size would wait for nothing."""
    others = ({"image_size": 23}, {"scaling": "percentile"}, {"home": tmp_path / "other"})
    assert len({request_of.name, *(replace(request_of, **change).name for change in others)}) == 4
    assert replace(request_of, image_size=23, scaling="percentile").index == request_of.index
    assert replace(request_of, home=tmp_path / "other").index != request_of.index


def prepared(s: Slice, place: Path, monkeypatch: pytest.MonkeyPatch, scaling: Any = "thesis") -> tuple[str, entry.Row]:
    monkeypatch.setattr(module, "read_slice", lambda path: s)
    entry.create(place, 1, 24)
    return module._prepare((0, Path("7.mat")), place, 1, 24, scaling)


@pytest.mark.parametrize("field", CHANGES)
def test_content_is_of_every_field_of_a_slice(field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before, _ = prepared(SLICE, tmp_path, monkeypatch)
    assert prepared(SLICE, tmp_path, monkeypatch)[0] == before
    assert prepared(replace(SLICE, **{field: CHANGES[field]}), tmp_path, monkeypatch)[0] != before


@pytest.mark.parametrize("scaling", ["thesis", "percentile"])
def test_a_row_says_what_the_file_holds(scaling: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Area, signature and the image's identity before resizing; the mask's identity at the size of the entry."""
    _, row = prepared(SLICE, tmp_path, monkeypatch, scaling)
    small = prepare_mask(MASK, 24)
    identity = entry.pack(image_digest(IMAGE), mask_digest(small), *mask_signature(MASK))
    assert row == entry.Row(7, 1, "P7", 15 * 7, "figshare", identity)
    assert np.array_equal(np.load(tmp_path / "images.npy")[0], prepare_image(IMAGE, 24, scaling))
    assert np.array_equal(np.load(tmp_path / "masks.npy")[0], small)


def test_a_warm_start_notices_another_size_time_or_name(folder: Path, tmp_path: Path):
    """Each by itself, the other two as before."""

    def signature() -> str:
        names = sorted(path.name for path in folder.iterdir())
        return module._signature(module._Request(tmp_path, folder, names, 24, "thesis"))

    path = folder / "1.mat"
    stat, before = path.stat(), signature()
    seen = {before}
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    seen.add(signature())
    with path.open("ab") as file:
        file.write(b"\0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    seen.add(signature())
    seen.add(signature())
    os.truncate(path, stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    seen.add(signature())  # size and time are as before: the time of the change of these is not
    shutil.copy2(path, folder / "copy")
    (folder / "copy").replace(path)
    seen.add(signature())
    path.rename(folder / "01.mat")
    seen.add(signature())
    assert len(seen) == 6


def test_a_file_that_changes_while_it_is_read_is_noticed_next_time(folder: Path, monkeypatch: pytest.MonkeyPatch):
    fill, reads = module._fill, []

    def changing(*args: Any) -> str:
        content = fill(*args)
        os.utime(folder / "1.mat", (5, 5))
        return content

    with monkeypatch.context() as patch:
        patch.setattr(module, "_fill", changing)
        load_dataset(folder, 24)
    monkeypatch.setattr(module, "read_slice", lambda path: reads.append(path) or read_slice(path))
    load_dataset(folder, 24)
    assert len(reads) == 6
    load_dataset(folder, 24)
    assert len(reads) == 6


def test_a_folder_has_one_index_by_whatever_path_it_is_named(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    load_dataset(folder, 24)
    monkeypatch.chdir(folder.parent)
    (folder.parents[1] / "link").symlink_to(folder)
    for name in (".", "data", folder.parents[1] / "link"):
        assert load_dataset(name, 24).folder == folder
    assert len(list((cache / "index").iterdir())) == 1


def test_building_happens_under_the_locks(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, is_locked: Callable[[Path], bool]
):
    """That of the request while slices are read, that of all entries while one is put in its place."""
    locked: dict[str, set[bool]] = {"read": set(), "move": set(), "look": set()}
    request = module._Request(cache, folder.resolve(), [], 24, "thesis")
    move, look = Path.replace, entry.open_entry

    def reading(path: Path) -> Slice:
        locked["read"].add(is_locked(cache / "locks" / f"{request.name}.lock"))
        return read_slice(path)

    def moving(self: Path, target: Path) -> Path:
        if self.parent.name == "building":
            locked["move"].add(is_locked(cache / "locks" / "arrays.lock"))
        return move(self, target)

    monkeypatch.setattr(module, "read_slice", reading)
    monkeypatch.setattr(Path, "replace", moving)
    load_dataset(folder, 24)
    assert locked == {"read": {True}, "move": {True}, "look": set()}

    def looking(*args: Any) -> Any:
        locked["look"].add(is_locked(cache / "locks" / "arrays.lock"))
        return look(*args)

    os.utime(folder / "1.mat", (5, 5))  # so that the same entry is made once more
    monkeypatch.setattr(entry, "open_entry", looking)
    load_dataset(folder, 24)
    assert locked["look"] == {True, False}, "before it is put in its place, and when it is opened"
    assert not is_locked(cache / "locks" / "arrays.lock")


def test_what_another_process_built_meanwhile_is_not_built_again(folder: Path, monkeypatch: pytest.MonkeyPatch):
    @contextmanager
    def waiting(path: Path) -> Iterator[None]:
        monkeypatch.setattr(module, "FileLock", FileLock)
        load_dataset(folder, 24)  # the other process, whose turn it is
        monkeypatch.setattr(module, "read_slice", lambda path: pytest.fail(f"{path} was read again"))
        with FileLock(path):
            yield

    monkeypatch.setattr(module, "FileLock", waiting)
    assert len(load_dataset(folder, 24)) == 6


def test_folders_of_the_same_content_share_an_entry(folder: Path, cache: Path, tmp_path: Path):
    load_dataset(folder, 24)
    (place,) = (cache / "arrays").iterdir()
    made = (place / "meta.json").stat()
    load_dataset(shutil.copytree(folder, tmp_path / "other"), 24)
    assert [*(cache / "arrays").iterdir()] == [place]
    assert (place / "meta.json").stat() == made
    assert not list((cache / "building").iterdir())


def test_only_what_this_request_left_is_cleared_away(folder: Path, cache: Path):
    (cache / "building" / "another-process").mkdir(parents=True)
    load_dataset(folder, 24)
    assert [path.name for path in (cache / "building").iterdir()] == ["another-process"]


def test_an_entry_that_cannot_be_read_back_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def damaged(*args: object) -> None:
        raise entry.DamagedEntry("of a faulty disk")

    monkeypatch.setattr(entry, "open_entry", damaged)
    with pytest.raises(DataError, match="cannot be read back"), pytest.warns(BtlibWarning, match="of a faulty disk"):
        load_dataset(folder, 24)
