import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
import warnings

import h5py
import numpy as np
import pytest

from btlib.data import load_dataset
from btlib.data.sources.figshare.source import FigshareSource
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import BtlibWarning, DataError, OptionError


def entries(cache):
    return sorted((cache / "arrays").iterdir())


def pixels(dataset):
    return [dataset.images.tolist(), dataset.masks.tolist(), dataset.labels.tolist(), dataset.patients]


def refuse_to_read(monkeypatch):
    def refuse(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("btlib.data.sources.figshare.source.read_slice", refuse)


def test_the_second_time_no_slice_is_read(folder, monkeypatch):
    cold = load_dataset(folder, 24)
    refuse_to_read(monkeypatch)
    warm = load_dataset(folder, 24)
    assert isinstance(warm.images[:], np.memmap)
    assert not warm.images[:].flags.writeable
    assert pixels(warm) == pixels(cold)
    assert (warm.fingerprint, warm.ids.tolist()) == (cold.fingerprint, cold.ids.tolist())


def test_size_and_scaling_have_entries_of_their_own(folder, cache):
    made = [load_dataset(folder, 24), load_dataset(folder, 23), load_dataset(folder, 24, "percentile")]
    assert len(entries(cache)) == 3
    plain, smaller, percentile = made
    assert len({dataset.input_fingerprint for dataset in made}) == 1
    assert plain.truth_fingerprint == percentile.truth_fingerprint != smaller.truth_fingerprint


def test_fingerprint_is_of_the_content_not_of_the_files(folder, tmp_path):
    """Another folder, other times, unpacked and with other attributes: the same slices."""
    before = load_dataset(folder, 24).fingerprint
    other = tmp_path / "elsewhere"
    shutil.copytree(folder, other)
    for path in other.iterdir():
        with h5py.File(path, "r+") as file:
            image = file["cjdata/image"][()]
            del file["cjdata/image"]
            file["cjdata"].create_dataset("image", data=image)
            file["cjdata"].attrs["remark"] = "repacked"
        os.utime(path, (1, 1))
    assert load_dataset(other, 24).fingerprint == before


@pytest.mark.parametrize(
    "change",
    [{"label": 2}, {"patient": "another"}, {"seed": 77}],
    ids=str,
)
def test_a_changed_slice_is_noticed(folder, make_slice, change):
    """A patient code is noticed too, and is no part of the identity."""
    before = load_dataset(folder, 24)
    make_slice(folder / "2.mat", **{"label": 1, "seed": 2, "patient": "P01"} | change)
    after = load_dataset(folder, 24)
    assert (after.truth_fingerprint != before.truth_fingerprint) == ("label" in change)
    assert (after.input_fingerprint != before.input_fingerprint) == ("seed" in change)
    assert (after.fingerprint != before.fingerprint) == ("patient" not in change)
    assert pixels(after) != pixels(before)


def test_a_changed_mask_and_a_changed_number_are_noticed(folder):
    """A pixel that is not seen at this size changes nothing; a corner that is does."""
    before = load_dataset(folder, 24).fingerprint
    with h5py.File(folder / "2.mat", "r+") as file:
        file["cjdata/tumorMask"][0, 0] = 1
    assert load_dataset(folder, 24).fingerprint == before
    seen = {before}
    with h5py.File(folder / "2.mat", "r+") as file:
        file["cjdata/tumorMask"][:6, :6] = 1
    seen.add(load_dataset(folder, 24).fingerprint)
    (folder / "11.mat").rename(folder / "12.mat")
    seen.add(load_dataset(folder, 24).fingerprint)
    (folder / "12.mat").unlink()
    seen.add(load_dataset(folder, 24).fingerprint)
    assert len(seen) == 4


def test_touched_files_lead_back_to_the_same_entry(folder, cache):
    before = load_dataset(folder, 24)
    os.utime(folder / "1.mat", (5, 5))
    assert load_dataset(folder, 24).fingerprint == before.fingerprint
    assert len(entries(cache)) == 1
    assert not list((cache / "building").iterdir())


def cut(path):
    path.write_bytes(path.read_bytes()[:-500])


def flip_the_last_byte(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def other_pixels(path):
    np.save(path, np.zeros((6, 1, 24, 24), np.float32))


def other_shape(path):
    np.save(path, np.zeros((6, 1, 24, 23), np.float32))


def no_more(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def other_label(path):
    meta = json.loads(path.read_text())
    meta["rows"][0][1] = 2
    path.write_text(json.dumps(meta))


def other_kind(path):
    path.write_text("[1, 2]")


DAMAGE = [
    *((name, do) for name in ("images.npy", "masks.npy") for do in (cut, flip_the_last_byte, other_shape)),
    ("images.npy", other_pixels),
    ("meta.json", other_label),
    ("meta.json", other_kind),
    *((name, do) for name in ("images.npy", "masks.npy", "meta.json") for do in (cut, no_more, empty)),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_a_damaged_entry_is_made_anew(folder, cache, name, damage):
    before = pixels(load_dataset(folder, 24))
    damage(entries(cache)[0] / name)
    with pytest.warns(BtlibWarning, match="damaged"):
        assert pixels(load_dataset(folder, 24)) == before
    assert not list((cache / "building").iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixels(load_dataset(folder, 24)) == before


@pytest.mark.parametrize("text", ["", "one two three", "\x00\xff"])
def test_a_damaged_index_is_made_anew(folder, cache, text):
    before = load_dataset(folder, 24)
    (index,) = (cache / "index").iterdir()
    index.write_text(text)
    assert load_dataset(folder, 24).fingerprint == before.fingerprint
    assert len(index.read_text().split()) == 2


def test_a_faulty_slice_leaves_nothing_behind_and_can_be_with_hint(folder, cache, make_slice):
    (folder / "2.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"2\.mat"):
        load_dataset(folder, 24)
    assert not list((cache / "building").iterdir())
    assert not (cache / "arrays").exists()
    make_slice(folder / "2.mat")
    assert len(load_dataset(folder, 24)) == 6


KILLED = """
import sys
from btlib.data import cache, load_dataset

real = cache.prepare_mask
def slow(mask, size):
    print("building", flush=True)
    import time; time.sleep(60)
cache.prepare_mask = slow
load_dataset(sys.argv[1], 24)
"""


def test_a_killed_build_is_cleared_away(folder, cache):
    with subprocess.Popen([sys.executable, "-c", KILLED, folder], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "building\n"
        (orphan,) = (cache / "building").iterdir()
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert orphan.exists()
    assert len(load_dataset(folder, 24)) == 6
    assert not list((cache / "building").iterdir())


def test_worker_processes_give_the_same(folder, monkeypatch):
    alone = load_dataset(folder, 24)
    monkeypatch.setattr("btlib.data.workers._PARALLEL_FROM", 1)
    os.utime(folder / "1.mat", (time.time() + 9,) * 2)
    monkeypatch.setattr("btlib.data.cache.PREPROCESSING", -1)  # an entry of its own
    together = load_dataset(folder, 24)
    assert pixels(together) == pixels(alone)
    (folder / "3.mat").write_bytes(b"nothing")
    (folder / "7.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match="2 faulty files"):
        load_dataset(folder, 24)


@pytest.mark.parametrize("n", [1, 5])
def test_stored_slices_are_what_numpy_saves(tmp_path, n):
    """In whatever order they come: the files are those of `np.save`, byte for byte."""
    from btlib.data import entry

    rng = np.random.default_rng(0)
    task = Task(name="t", structures=("a", "b"), channels=("x", "y", "z"))
    images, masks = rng.random((n, 3, 7, 7), np.float32), rng.random((n, 2, 7, 7)) > 0.5
    entry.create(tmp_path, n, 7, task)
    for i in rng.permutation(n):
        entry.store(tmp_path, int(i), n, images[i], masks[i])
    for name, array in (("images", images), ("masks", masks)):
        np.save(tmp_path / "expected.npy", array)
        assert (tmp_path / f"{name}.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_no_pixels_come_back_from_a_worker(folder, tmp_path):
    """Else the memory of the process that asked would grow with the number of slices."""
    from btlib.data import cache, entry

    source = FigshareSource(folder)
    entry.create(tmp_path, 1, 64, FIGSHARE)
    made = cache._prepare((0, source.samples()[0]), source, tmp_path, 1, 64, "thesis")
    assert np.load(tmp_path / "images.npy").any()
    assert len(pickle.dumps(made)) < 500


def test_a_full_disk_is_told_and_leaves_nothing_behind(folder, cache):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6 * 24 * 24 * 4, limits[1]))  # the header is too much
    try:
        with pytest.raises(DataError, match="cannot be written") as caught:
            load_dataset(folder, 24)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "BTLIB_CACHE" in caught.value.hint
    assert not list((cache / "building").iterdir())
    assert len(load_dataset(folder, 24)) == 6


def test_the_thesis_size_and_scaling_are_the_defaults(folder):
    dataset = load_dataset(folder)
    assert (dataset.image_size, dataset.scaling) == (256, "thesis")
    with pytest.raises(OptionError, match="expected a whole number from 2, got 1"):
        load_dataset(folder, 1)


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    from btlib.data.cache import cache_root

    assert cache_root() == tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "user" / name)
    monkeypatch.setenv("BTLIB_CACHE", "")
    assert cache_root() == tmp_path / "user" / "btlib"
    monkeypatch.delenv("BTLIB_CACHE")
    assert cache_root() == tmp_path / "user" / "btlib"


@pytest.mark.parametrize("place", ["locks", "building", "index"])
def test_a_cache_that_cannot_be_written_is_told_in_our_words(folder, cache, place):
    """A file in the place of one of its folders."""
    cache.mkdir(parents=True, exist_ok=True)
    (cache / place).write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        load_dataset(folder, 24)


@pytest.mark.parametrize("made", [os.mkfifo, os.mkdir])
def test_an_index_that_is_no_file_is_told_at_once(folder, cache, made):
    load_dataset(folder, 24)
    (index,) = (cache / "index").iterdir()
    index.unlink()
    made(index)
    with pytest.raises(DataError, match="cannot be written"):
        load_dataset(folder, 24)


def test_entries_that_changed_places_are_noticed(folder, cache):
    """Same slices, same size: only their scaling tells them apart."""
    sums = {scaling: load_dataset(folder, 24, scaling).images[:].sum() for scaling in ("thesis", "percentile")}
    one, other = (cache / "arrays").iterdir()
    one.rename(cache / "aside")
    other.rename(one)
    (cache / "aside").rename(other)
    for scaling, expected in sums.items():
        with pytest.warns(BtlibWarning, match="scaling"):
            assert load_dataset(folder, 24, scaling).images[:].sum() == expected
