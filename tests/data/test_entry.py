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
from btlib.data.sources.figshare import source as figshare_source
from btlib.data.sources.figshare.source import FigshareSource
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.data.task import Task
from btlib.types import Scaling

N, SIZE = 3, 5
IMAGES = np.arange(N * SIZE * SIZE, dtype=np.float32).reshape(N, 1, SIZE, SIZE)
MASKS = np.arange(N * SIZE * SIZE).reshape(N, 1, SIZE, SIZE) % 7 > np.arange(1, N + 1)[:, None, None, None]
CODES = ("P9", None, "P10A")
SIGNATURES, AREAS = [2**64 - 1, 0, 2**63], [256**2, 1, 255]


def rows(codes: tuple[str | None, ...] = CODES, volumes: tuple[str | None, ...] = (None,) * N) -> list[entry.Row]:
    digests = [(image_digest(IMAGES[i]), mask_digest(MASKS[i])) for i in range(N)]
    packed = [entry.pack(*digests[i], SIGNATURES[i], AREAS[i]) for i in range(N)]
    return [entry.Row(str(10 * (i + 1)), (i + 1) % 3, codes[i], volumes[i], packed[i]) for i in range(N)]


def write(place: Path, made: list[entry.Row] | None = None, task: Task = PHANTOM) -> Path:
    place.mkdir()
    entry.create(place, N, SIZE, task)
    for i in range(N):
        entry.store(place, i, N, IMAGES[i], MASKS[i])
    entry.finish(place, rows() if made is None else made, SIZE, "thesis", "content", task)
    return place


def source(above: Path) -> FigshareSource:
    """Of a folder that is not read: its one file is none."""
    (above / "home").mkdir(exist_ok=True)
    (above / "home" / "1.mat").touch()
    return FigshareSource(above / "home")


def opened(place: Path, size: int = SIZE, content: str = "content", scaling: Scaling = "thesis") -> Dataset:
    return entry.open_entry(place, size, scaling, source(place.parent), content, lambda rows: None, lambda i: MASKS[i])


def test_everything_comes_back(tmp_path: Path):
    dataset = opened(write(tmp_path / "e"))
    assert np.array_equal(dataset.images, IMAGES)
    assert np.array_equal(dataset.masks, MASKS)
    assert dataset.labels is not None
    assert (dataset.ids.tolist(), dataset.labels.tolist()) == (["10", "20", "30"], [1, 2, 0])
    assert (dataset.patients, dataset.volumes) == (CODES, None)
    assert (dataset.task, dataset.scaling, dataset.image_size) == (PHANTOM, "thesis", SIZE)
    assert dataset.folder == (tmp_path / "home").resolve()
    assert dataset.patient_source == "files"
    assert dataset.image_digests is not None
    assert dataset.image_digests.tolist() == [image_digest(image) for image in IMAGES]
    assert dataset.mask_digests is not None
    assert dataset.mask_digests.tolist() == [mask_digest(mask) for mask in MASKS]
    assert dataset.cohort is not None
    assert (dataset.cohort.patients, dataset.cohort.labels.tolist()) == (CODES, [1, 2, 0])


def test_without_codes_patients_have_no_source(tmp_path: Path):
    nobody = (None,) * N
    for task in (PHANTOM, FIGSHARE):
        dataset = opened(write(tmp_path / task.name, rows(nobody), task))
        assert (dataset.patients, dataset.patient_source) == (nobody, None)


def test_codes_of_phantoms_are_taken_as_they_are_and_those_of_real_slices_merged(tmp_path: Path):
    assert opened(write(tmp_path / "phantom")).patients == ("P9", None, "P10A")
    assert opened(write(tmp_path / "real", task=FIGSHARE)).patients == ("P9", None, "P10")


def test_patients_that_are_known_keep_their_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def known(*args: Any) -> Patients:
        asked.append([arg.tolist() if isinstance(arg, np.ndarray) else arg for arg in args])
        return Patients(("7", "8", "7"), "table", {"7": 2, "8": 5})

    monkeypatch.setattr(figshare_source, "identify", known)
    dataset = opened(write(tmp_path / "e", task=FIGSHARE))
    assert asked == [[[10, 20, 30], CODES, SIGNATURES, AREAS, (tmp_path / "home").resolve()]]
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
    for array in (
        *(IMAGES.astype(np.int32), IMAGES[..., :4], IMAGES[:2], IMAGES[:, 0], np.repeat(IMAGES, 2, axis=1)),
        np.asfortranarray(IMAGES),
    ):
        resave(place, array)
        with pytest.raises(entry.DamagedEntry, match=r"images\.npy: expected float32 \(3, 1, 5, 5\)"):
            opened(place)


def test_an_entry_of_other_slices_or_of_another_size_is_damage(tmp_path: Path):
    place = write(tmp_path / "e")
    with pytest.raises(entry.DamagedEntry, match="belongs to other samples"):
        opened(place, content="other")
    with pytest.raises(entry.DamagedEntry, match=r"has \d+ px and thesis scaling"):
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
    with pytest.raises(entry.DamagedEntry, match="does not match the content"):
        opened(place)


def test_metadata_are_written_when_the_arrays_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They make the entry complete."""
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("sync"))
    monkeypatch.setattr(files, "write_text", lambda path, text: steps.append(path.name))
    write(tmp_path / "e")
    assert steps == ["sync", "sync", "meta.json"]


NO_ROWS = [
    *([1, 2, 3], [], None, [[1]] * 3, {"a": 1}),
    *([[name, 1, "P", None]] * 3 for name in (2**70, None, ["7"])),
    [["7", 2**70, "P", None]] * 3,
    [["7", None, "P", None]] * 3,
]


@pytest.mark.parametrize("rows", NO_ROWS, ids=str)
def test_rows_that_are_none_are_damage_under_a_right_digest(tmp_path: Path, rows: object):
    place = write(tmp_path / "e")
    resealed(place, rows=rows)
    with pytest.raises(entry.DamagedEntry, match=r"meta\.json: its rows are invalid"):
        opened(place)


@pytest.mark.parametrize("name", ["", "a", str(2**70), "1.5"])
def test_a_real_slice_without_a_number_is_damage(tmp_path: Path, name: str):
    """Real slices are known by their numbers; other tasks have any text."""
    named = [rows()[0]._replace(id=name), *rows()[1:]]
    assert len(opened(write(tmp_path / "phantom", named))) == N
    with pytest.raises(entry.DamagedEntry, match=r"meta\.json: its rows do not belong to /.*home \("):
        opened(write(tmp_path / "real", named, FIGSHARE))


@pytest.mark.parametrize("task", [None, {}, {"name": "t"}, 7], ids=str)
def test_a_task_that_is_none_is_damage_under_a_right_digest(tmp_path: Path, task: object):
    place = write(tmp_path / "e")
    resealed(place, task=task)
    with pytest.raises(entry.DamagedEntry, match=r"meta\.json: its rows are invalid"):
        opened(place)


def test_a_task_of_another_shape_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Several channels and structures, no classes, samples that are parts of volumes."""
    task = Task(name="t", structures=("a", "b"), channels=("x", "y", "z"), synthetic=True)
    images, masks = np.repeat(IMAGES, 3, axis=1), np.repeat(MASKS, 2, axis=1)
    images[:, 1], masks[:, 1] = -1, False
    place = tmp_path / "e"
    place.mkdir()
    entry.create(place, N, SIZE, task)
    for i in range(N):
        entry.store(place, i, N, images[i], masks[i])
    made = [row._replace(label=None) for row in rows(codes=("P1", "P1", None), volumes=("v", "v", "w"))]
    entry.finish(place, made, SIZE, "thesis", "content", task)
    monkeypatch.setattr(figshare_source.FigshareSource, "is_of", lambda self, found: found == task)
    dataset = opened(place)
    assert np.array_equal(dataset.images, images)
    assert np.array_equal(dataset.masks, masks)
    assert (dataset.task, dataset.labels, dataset.volumes) == (task, None, ("v", "v", "w"))
    assert (dataset.strata.tolist(), dataset.whole.labels.tolist()) == ([0, 0, 0], [0, 0, 0])


def resealed(place: Path, **change: object) -> None:
    """Other metadata under a digest that fits them."""
    body = files.unsealed(json.loads((place / "meta.json").read_text()))
    (place / "meta.json").write_text(json.dumps(files.sealed(body | change)))
