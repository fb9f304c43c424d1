"""What a cached entry is found by, and which locks guard its making."""

import os
import shutil
import tempfile
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
from btlib.data.dataset import Dataset
from btlib.data.digest import image_digest, mask_digest
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.sources.figshare import source as figshare_source
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.figshare.slice_file import Slice
from btlib.data.sources.figshare.source import FigshareSource
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import BtlibWarning, DataError

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
    "image": IMAGE + np.int16(1),
    "mask": OTHER_MASK,
}


def source_of(home: Path, name: str = "1.mat") -> FigshareSource:
    """Of a folder of one file, which is not read."""
    home.mkdir()
    (home / name).touch()
    return FigshareSource(home)


@pytest.fixture
def request_of(tmp_path: Path) -> "module._Request":
    source = source_of(tmp_path / "home")
    return module._Request(tmp_path, source, source.samples(), 24, "thesis")


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
    other = source_of(tmp_path / "other", "2.mat")
    assert replace(request_of, source=other, samples=other.samples()).entry("c") == places[0]


def test_a_request_has_a_lock_of_its_own(request_of: "module._Request", tmp_path: Path):
    """One that waits for another size would wait for nothing."""
    other = source_of(tmp_path / "other")
    others = ({"image_size": 23}, {"scaling": "percentile"}, {"source": other})
    assert len({request_of.name, *(replace(request_of, **change).name for change in others)}) == 4
    assert replace(request_of, image_size=23, scaling="percentile").index == request_of.index
    assert replace(request_of, source=other).index != request_of.index


def prepared(
    s: Slice, place: Path, monkeypatch: pytest.MonkeyPatch, scaling: Any = "thesis"
) -> tuple[str, entry.Row, float]:
    """The content of a slice, its row and its largest intensity, made in a folder."""
    monkeypatch.setattr(figshare_source, "read_slice", lambda path: s)
    source = source_of(Path(tempfile.mkdtemp(dir=place)) / "home", f"{s.number}.mat")
    entry.create(place, 1, 24, FIGSHARE)
    made = module._prepare((0, source.samples()[0]), source, place, 1, 24, scaling)
    assert made.original is None  # the size of a pixel is unknown
    return made.content, made.row, made.largest


@pytest.mark.parametrize("field", CHANGES)
def test_content_is_of_every_field_of_a_slice(field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = prepared(SLICE, tmp_path, monkeypatch)[0]
    assert prepared(SLICE, tmp_path, monkeypatch)[0] == before
    assert prepared(replace(SLICE, **{field: CHANGES[field]}), tmp_path, monkeypatch)[0] != before


def test_content_is_of_the_whole_task():
    """The same samples under other names of classes are another entry: it holds these names."""

    def loaded(**change: object) -> Dataset:
        task = Task(name="t", classes=("a", "b"), structures=("s",), synthetic=True)
        return load_dataset(PhantomSource(task.model_copy(update=change), 4, size=24), 16)

    changes = ({}, {"classes": ("c", "d")}, {"structures": ("other",)}, {"name": "other"}, {"licence": "CC0"}, {})
    found = [loaded(**change) for change in changes]
    for dataset, change in zip(found, changes, strict=True):
        assert {name: getattr(dataset.task, name) for name in change} == change
    assert len({dataset.task for dataset in found}) == 5
    assert len({dataset.fingerprint for dataset in found}) == 1


@pytest.mark.parametrize("origin", ["figshare", "phantom"])
def test_phantoms_of_the_same_pixels_are_another_entry(
    origin: Any, tmp_path: Path, make_slice: Callable[..., Any], cache: Path
):
    for known in ("figshare", "phantom"):
        make_slice(tmp_path / known / "1.mat", origin=known)
        load_dataset(tmp_path / known, 24)
    assert len(list((cache / "arrays").iterdir())) == 2
    assert load_dataset(tmp_path / origin, 24).task.name == origin


@pytest.mark.parametrize("scaling", ["thesis", "percentile"])
def test_a_row_says_what_the_file_holds(scaling: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Signature, area and the image's identity before resizing; the mask's identity at the size of the entry."""
    _, row, _ = prepared(SLICE, tmp_path, monkeypatch, scaling)
    small = prepare_mask(MASK, 24)
    identity = entry.pack(image_digest(IMAGE), mask_digest(small), *mask_signature(MASK))
    assert row == entry.Row("7", 1, "P7", None, identity)
    assert np.array_equal(np.load(tmp_path / "images.npy")[0, 0], prepare_image(IMAGE, 24, scaling))
    assert np.array_equal(np.load(tmp_path / "masks.npy")[0, 0], small)


def test_a_warm_start_notices_another_size_time_or_name(folder: Path):
    """Each by itself, the other two as before."""

    def signature() -> str:
        return FigshareSource(folder).signature()

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
    monkeypatch.setattr(figshare_source, "read_slice", lambda path: reads.append(path) or read_slice(path))
    load_dataset(folder, 24)
    assert len(reads) == 7  # the first of six twice: it tells the task
    load_dataset(folder, 24)
    assert len(reads) == 7


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
    request = module._Request(cache, FigshareSource(folder), [], 24, "thesis")
    move, look = Path.replace, entry.open_entry

    def reading(path: Path) -> Slice:
        locked["read"].add(is_locked(cache / "locks" / f"{request.name}.lock"))
        return read_slice(path)

    def moving(self: Path, target: Path) -> Path:
        if self.parent.name == "building":
            locked["move"].add(is_locked(cache / "locks" / "arrays.lock"))
        return move(self, target)

    monkeypatch.setattr(figshare_source, "read_slice", reading)
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
        monkeypatch.setattr(figshare_source, "read_slice", lambda path: pytest.fail(f"{path} was read again"))
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
