from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from btlib.data import list_slices, phantom_folder, read_slice, write_phantoms
from btlib.data.sources.figshare.scan import scan
from btlib.data.sources.phantom.files import _cast
from btlib.data.sources.phantom.head import KINDS, anatomy, draw
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BtlibWarning, DataError

FIRST = [(1, "PH0004", 512), (1, "PH0003", 512), (1, "PH0003", 512)]
GOLDEN = "77ec51d2fb13f3e6"


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    home = tmp_path_factory.mktemp("phantoms")
    write_phantoms(home, 24, seed=5)
    return home


def test_every_phantom_is_a_sound_slice_and_says_what_it_is(phantoms):
    report = scan(phantoms, expect=24)
    assert report.sound
    assert report.origins == {"phantom": 24}
    assert report.classes == {"meningioma": 6, "glioma": 11, "pituitary": 7}  # 23, 47 and 30 % of 24
    assert not report.notes  # no patient with two tumour types
    assert all(patient.startswith("PH0") for patient in report.patients)


def test_intensities_are_like_the_real_ones(phantoms):
    for path in list_slices(phantoms):
        s = read_slice(path)
        assert s.image.dtype == np.int16
        assert s.image.min() == 0
        assert 1000 < s.image.max() < 10000
        assert 0.0005 < s.mask.mean() < 0.13


def test_another_seed_or_another_slice_is_another_phantom(tmp_path):
    images = [
        read_slice(write_phantoms(tmp_path / str(seed), 2, seed) / f"{number}.mat").image.tobytes()
        for seed, number in ((5, 1), (6, 1))
    ]
    images.append(read_slice(tmp_path / "5" / "data" / "2.mat").image.tobytes())
    assert len(set(images)) == 3


def test_phantoms_are_the_same_to_the_bit_everywhere():
    """Golden digests: they must hold on every machine, or committed baselines of the smoke tier mean nothing."""
    digest = sha256()
    for label, kind in enumerate(PHANTOM.classes):
        image, mask = draw(anatomy(kind, np.random.RandomState([1, label])), np.random.RandomState([2, label]), 256)
        digest.update(image.astype("<i2").tobytes() + mask.tobytes())
    assert digest.hexdigest()[:16] == "ec3af0f4e3112766"


def test_tumours_lie_where_their_type_lies():
    """Pituitary tumours in the midline, gliomas off it; only gliomas have a dark core."""
    aside, core = {}, {}
    for kind in KINDS:
        middles, lows = [], []
        for k in range(12):
            image, mask = draw(anatomy(kind, np.random.RandomState([3, k])), np.random.RandomState([4, k]), 256)
            middles.append(abs(np.nonzero(mask)[1].mean() - 128))
            lows.append(np.percentile(image[mask], 5) / np.median(image[mask]))
        aside[kind], core[kind] = np.mean(middles), np.mean(lows)
    assert aside["pituitary"] < 10 < 20 < min(aside["meningioma"], aside["glioma"])
    assert core["glioma"] < 0.5 < 0.8 < min(core["meningioma"], core["pituitary"])


def test_every_class_can_be_drawn():
    assert PHANTOM.classes == KINDS


def test_a_head_without_a_tumour_is_the_same_head():
    """But for the tumour, and the grain that is drawn after it; its mask is empty."""
    image, mask = draw(anatomy(None, np.random.RandomState([1, 0])), np.random.RandomState([2, 0]), 256)
    ill, tumour = draw(anatomy("meningioma", np.random.RandomState([1, 0])), np.random.RandomState([2, 0]), 256)
    assert (mask.dtype, mask.shape, mask.any()) == (bool, (256, 256), False)
    assert image.dtype == np.int16
    shown = [one.astype(float)[~tumour] for one in (image, ill)]
    assert np.corrcoef(*shown)[0, 1] > 0.95


def test_the_phantoms_of_a_seed_are_the_same_for_ever(phantoms):
    """Patients, types, sizes and pixels: committed baselines of the smoke tier rest on them."""
    slices = [read_slice(path) for path in list_slices(phantoms)]
    assert {s.image.shape for s in slices} == {(512, 512), (256, 256)}
    assert [(s.label, s.patient, len(s.image)) for s in slices[:3]] == FIRST
    digest = sha256()
    for s in slices:
        digest.update(f"{s.label} {s.patient} {s.image.shape}".encode() + s.image.tobytes() + s.mask.tobytes())
    assert digest.hexdigest()[:16] == GOLDEN


def test_patients_have_several_slices_of_one_type():
    cast = _cast(1000, seed=0)
    by_patient = {}
    for patient, label, person in cast:
        assert person.kind == PHANTOM.classes[label]
        by_patient.setdefault(patient, []).append(person)
    assert all(len({id(person) for person in people}) == 1 for people in by_patient.values())
    assert np.bincount([label for _, label, _ in cast]).tolist() == [230, 470, 300]
    assert np.median([len(people) for people in by_patient.values()]) > 4


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path, monkeypatch):
    write_phantoms(tmp_path / "a", 1)
    with pytest.raises(DataError, match="exists already"):
        write_phantoms(tmp_path / "a", 1)

    assert (tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o755

    def full_disk(path, *args, **kwargs):
        path.touch()
        if path.name == "3.mat":
            raise OSError("no space left on device")

    monkeypatch.setattr("btlib.data.sources.phantom.files.write_slice", lambda path, *args, **kwargs: path.touch())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda self, target: full_disk(self / "3.mat"))
        with pytest.raises(DataError, match=r"b/data: cannot be written \(no space"):
            write_phantoms(tmp_path / "b", 3)
    assert list((tmp_path / "b").iterdir()) == [], "they are put in their place all at once"
    monkeypatch.setattr("btlib.data.sources.phantom.files.write_slice", full_disk)
    with pytest.raises(DataError, match="no space"):
        write_phantoms(tmp_path / "b", 3)
    assert list((tmp_path / "b").iterdir()) == []


def test_a_folder_is_drawn_under_its_lock(tmp_path, monkeypatch, is_locked):
    """Anew, the first time, and where some are missing or too many; and only then."""
    asked = []
    lock = tmp_path / "phantoms-v1-3-seed4.lock"

    def drawn(out, n, seed, progress):
        asked.append((out, n, seed, progress, is_locked(lock)))
        assert not (out / "data").exists(), "what was there is cleared away"
        (out / "data").mkdir(parents=True)
        for number in range(1, n + 1):
            (out / "data" / f"{number}.mat").touch()

    monkeypatch.setattr("btlib.data.sources.phantom.files.write_phantoms", drawn)
    folder = phantom_folder(tmp_path, 3, seed=4, progress=True)
    assert folder == tmp_path / "phantoms-v1-3-seed4"
    assert phantom_folder(tmp_path, 3, seed=4) == folder
    assert asked == [(folder, 3, 4, True, True)]
    (folder / "data" / "4.mat").touch()
    with pytest.warns(BtlibWarning, match="4 of 3 phantoms"):
        phantom_folder(tmp_path, 3, seed=4)
    (folder / "data" / "1.mat").unlink()
    with pytest.warns(BtlibWarning, match="2 of 3 phantoms"):
        phantom_folder(tmp_path, 3, seed=4)
    assert asked[1:] == [(folder, 3, 4, False, True)] * 2
    assert not is_locked(lock)
    others = {phantom_folder(tmp_path, 4, seed=4), phantom_folder(tmp_path, 3, seed=5), phantom_folder(tmp_path, 3)}
    assert len(others | {folder}) == 4


@pytest.mark.parametrize("n", [0, -3])
def test_no_phantoms_asked_for(tmp_path, n):
    with pytest.raises(DataError, match=f"got {n}"):
        write_phantoms(tmp_path / "out", n)
    with pytest.raises(DataError, match=f"got {n}"):
        phantom_folder(tmp_path / "root", n)


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    folder = phantom_folder(tmp_path, 2)
    (folder / "data").rename(folder / ".phantoms-killed")
    assert len(list_slices(phantom_folder(tmp_path, 2))) == 2
    assert [path.name for path in folder.iterdir()] == ["data"]
