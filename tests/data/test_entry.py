"""One entry of the cache: what is stored, and what is noticed when it is not what it was."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import files
from btlib.data import entry
from btlib.data.checked_array import block_digests
from btlib.data.dataset import Dataset
from btlib.data.digest import image_digest, mask_digest
from btlib.data.patients import Patients
from btlib.types import Scaling

N, SIZE = 3, 5
IMAGES = np.arange(N * SIZE * SIZE, dtype=np.float32).reshape(N, SIZE, SIZE)
MASKS = np.arange(N * SIZE * SIZE).reshape(N, SIZE, SIZE) % 7 > np.arange(1, N + 1)[:, None, None]
CODES = ("P9", None, "P10A")
SIGNATURES, AREAS = [2**64 - 1, 0, 2**63], [256**2, 1, 255]


def rows(origin: Any = "phantom", codes: tuple[str | None, ...] = CODES) -> list[entry.Row]:
    digests = [(image_digest(IMAGES[i]), mask_digest(MASKS[i])) for i in range(N)]
    packed = [entry.pack(*digests[i], SIGNATURES[i], AREAS[i]) for i in range(N)]
    return [entry.Row(10 * (i + 1), (i + 1) % 3, codes[i], 100 + i, origin, packed[i]) for i in range(N)]


def write(place: Path, made: list[entry.Row] | None = None) -> Path:
    place.mkdir()
    entry.create(place, N, SIZE)
    for i in range(N):
        entry.store(place, i, N, IMAGES[i], MASKS[i])
    entry.finish(place, rows() if made is None else made, SIZE, "thesis", "content")
    return place


def opened(place: Path, size: int = SIZE, content: str = "content", scaling: Scaling = "thesis") -> Dataset:
    return entry.open_entry(place, size, scaling, Path("home"), content, lambda rows: None)


def test_everything_comes_back(tmp_path: Path):
    dataset = opened(write(tmp_path / "e"))
    assert np.array_equal(dataset.images, IMAGES)
    assert np.array_equal(dataset.masks, MASKS)
    assert (dataset.numbers.tolist(), dataset.labels.tolist()) == ([10, 20, 30], [1, 2, 0])
    assert (dataset.patients, dataset.original_areas.tolist()) == (CODES, [100, 101, 102])
    assert (dataset.origin, dataset.scaling, dataset.image_size, dataset.folder) == (
        "phantom",
        "thesis",
        SIZE,
        Path("home"),
    )
    assert dataset.patient_source == "files"
    assert dataset.image_digests is not None
    assert dataset.image_digests.tolist() == [image_digest(image) for image in IMAGES]
    assert dataset.mask_digests is not None
    assert dataset.mask_digests.tolist() == [mask_digest(mask) for mask in MASKS]
    assert dataset.cohort is not None
    assert (dataset.cohort.patients, dataset.cohort.labels.tolist()) == (CODES, [1, 2, 0])


def test_without_codes_patients_have_no_source(tmp_path: Path):
    nobody = (None,) * N
    for origin in ("phantom", "figshare"):
        dataset = opened(write(tmp_path / origin, rows(origin, nobody)))
        assert (dataset.patients, dataset.patient_source) == (nobody, None)


def test_codes_of_phantoms_are_taken_as_they_are_and_those_of_real_slices_merged(tmp_path: Path):
    assert opened(write(tmp_path / "phantom")).patients == ("P9", None, "P10A")
    assert opened(write(tmp_path / "real", rows("figshare"))).patients == ("P9", None, "P10")


def test_patients_that_are_known_keep_their_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def known(*args: Any) -> Patients:
        asked.append([arg.tolist() if isinstance(arg, np.ndarray) else arg for arg in args])
        return Patients(("7", "8", "7"), "table", {"7": 2, "8": 5})

    monkeypatch.setattr(entry, "identify", known)
    dataset = opened(write(tmp_path / "e", rows("figshare")))
    assert asked == [[[10, 20, 30], CODES, SIGNATURES, AREAS, Path("home")]]
    assert (dataset.patients, dataset.patient_source) == (("7", "8", "7"), "table")
    assert (dataset.whole.patients, dataset.whole.folds) == (("7", "8", "7"), {"7": 2, "8": 5})


def resave(place: Path, array: np.ndarray) -> None:
    """Other images, with metadata that agree with them but for their kind."""
    np.save(place / "images.npy", array)
    body = files.read_sealed(place / "meta.json")
    body["blocks"]["images"] = block_digests(place / "images.npy")
    files.write_json(place / "meta.json", files.sealed(body))


def test_arrays_of_another_kind_or_shape_are_damage(tmp_path: Path):
    place = write(tmp_path / "e")
    resave(place, IMAGES)
    assert np.array_equal(opened(place).images, IMAGES)
    for array in (IMAGES.astype(np.int32), IMAGES[:, :, :4], IMAGES[:2], np.asfortranarray(IMAGES)):
        resave(place, array)
        with pytest.raises(entry.DamagedEntry, match=r"images\.npy: expected float32 \(3, 5, 5\)"):
            opened(place)


def test_an_entry_of_other_slices_or_of_another_size_is_damage(tmp_path: Path):
    place = write(tmp_path / "e")
    with pytest.raises(entry.DamagedEntry, match="of other slices"):
        opened(place, content="other")
    with pytest.raises(entry.DamagedEntry, match=r"is of \d+ px and thesis scaling"):
        opened(place, size=4)
    with pytest.raises(entry.DamagedEntry, match="and thesis scaling"):
        opened(place, scaling="percentile")


def test_an_older_entry_that_tells_no_scaling_is_taken(tmp_path: Path):
    place = write(tmp_path / "e")
    body = files.unsealed(json.loads((place / "meta.json").read_text()))
    body.pop("scaling")
    (place / "meta.json").write_text(json.dumps(files.sealed(body)))
    assert np.array_equal(opened(place).images, IMAGES)


def test_metadata_that_were_edited_are_damage(tmp_path: Path):
    place = write(tmp_path / "e")
    meta = json.loads((place / "meta.json").read_text())
    meta["rows"][0][2] = "somebody else"
    (place / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(entry.DamagedEntry, match="does not fit the content"):
        opened(place)


def test_metadata_are_written_when_the_arrays_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They make the entry complete."""
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("sync"))
    monkeypatch.setattr(files, "write_text", lambda path, text: steps.append(path.name))
    write(tmp_path / "e")
    assert steps == ["sync", "sync", "meta.json"]


@pytest.mark.parametrize("rows", [[1, 2, 3], [], None, [[1]] * 3, [[2**70, 1, "P", 1, "phantom"]] * 3, {"a": 1}])
def test_rows_that_are_none_are_damage_under_a_right_digest(tmp_path: Path, rows: object):
    place = write(tmp_path / "e")
    body = files.unsealed(json.loads((place / "meta.json").read_text()))
    (place / "meta.json").write_text(json.dumps(files.sealed(body | {"rows": rows})))
    with pytest.raises(entry.DamagedEntry, match=r"meta\.json: its rows are none"):
        opened(place)
