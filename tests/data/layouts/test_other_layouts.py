"""Class folders, BRISC, data lists of MONAI, and Figshare's own zip files."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import btlib
from btlib.data.layouts.importing import import_folder
from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError

from .conftest import D, Make, pixels, regions, regions_of_volume, run, samples, volume


def parts_of(out: Path) -> dict[str, str]:
    return dict(TableSource(out).official_split() or {})


def test_class_folders_with_parts(make: Make) -> None:
    names = [
        f"wrapper/{part}/{label}/{i}.jpg"
        for part in ("Training", "Testing")
        for label in ("no", "yes")
        for i in (2, 10)
    ]
    source = make({name: pixels(i) for i, name in enumerate(names)})
    out, done = run("class-folders", source)
    read, task = samples(out), TableSource(out).task
    assert sorted(read) == sorted(names)
    for name in names:
        assert task.classes[read[name].label or 0] == name.split("/")[2]
        assert parts_of(out)[name] == {"Training": "train", "Testing": "test"}[name.split("/")[1]]
    assert done.notes == ("images by class: no 4, yes 4",)


def test_class_folders_without_parts(make: Make) -> None:
    source = make({f"{label}/P{i}/{i}.png": pixels(i) for i in range(2) for label in ("a", "b")})
    out, _ = run("class-folders", source, patient="folder")
    assert {key: sample.patient for key, sample in samples(out).items()} == {
        f"{label}/P{i}/{i}.png": f"P{i}" for i in range(2) for label in ("a", "b")
    }
    assert parts_of(out) == {}


CLASS_FAULTS = [
    ({"a/1.png": 0, "b/1.png": 1, "2.png": 2}, "2.png: lies in no folder of a class"),
    ({"train/a/1.png": 0, "train/b/1.png": 1, "c/1.png": 2}, "c/1.png: lies beside the folders of parts"),
    ({"a/1.png": 0, "b/1.png": 1, "b/1_mask.png": 2}, r"1 files look like masks: b/1_mask.png\n.*pairs"),
    ({"a/1.png": 0, "a/2.png": 1}, "lies in no folder of a class"),
]


@pytest.mark.parametrize(("files", "message"), CLASS_FAULTS)
def test_faulty_class_folders(make: Make, files: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run("class-folders", make({name: pixels(i) for name, i in files.items()}))


def test_a_class_that_one_part_lacks_is_noted(make: Make) -> None:
    source = make({f"{name}/1.png": pixels(i) for i, name in enumerate(("train/a", "train/b", "test/a", "test/B"))})
    assert "the part test has no images of: b" in run("class-folders", source)[1].notes


def brisc() -> dict[str, object]:
    files: dict[str, object] = {}
    for i, part in enumerate(("train", "train", "test", "test")):
        label, name = ("glioma", f"brisc_{part}_{i}_gl") if i % 2 == 0 else ("no_tumor", f"brisc_{part}_{i}_no")
        files[f"classification_task/{part}/{label}/{name}.jpg"] = pixels(i)
        if i % 2 == 0:
            files[f"segmentation_task/{part}/images/{name}.jpg"] = pixels(i)
            files[f"segmentation_task/{part}/masks/{name}.png"] = (regions(i) > 0) * np.uint8(255)
    return files


def test_brisc(make: Make) -> None:
    source = make(brisc())
    out, done = run("brisc", source)
    read, task = samples(out), TableSource(out).task
    assert task.classes == ("glioma", "no_tumor")
    tumours = {key: sample for key, sample in read.items() if key.startswith("segmentation_task")}
    assert {sample.mask.sum() for sample in tumours.values()} == {(regions(i) > 0).sum() for i in (0, 2)}
    for name, sample in read.items():
        assert np.array_equal(sample.image[0], np.asarray(Image.open(source / name)))
    assert [*parts_of(out).values()].count("test") == len(tumours) == len(read) - 2 == 2
    assert not any(sample.mask.any() for sample in read.values() if task.classes[sample.label or 0] == "no_tumor")
    assert done.notes == ("4 images, 2 with a mask; those without one have no tumour",)
    (source / "segmentation_task/train/masks/brisc_train_0_gl.png").unlink()
    with pytest.raises(DataError, match=r"images/brisc_train_0_gl.jpg: there is no mask"):
        run("brisc", source, out="no")


def test_parts_of_brisc(make: Make) -> None:
    only = {name: array for name, array in brisc().items() if name.startswith("segmentation")}
    out, _ = run("brisc", make(only))
    assert TableSource(out).task.classes == ()


def datalist(**change: object) -> str:
    """Two training items, one for validation, and one test item without a label."""
    items = [{"image": [f"i/{k}_a.png", f"i/{k}_b.png"], "label": f"./m/{k}.png", "patient": f"P{k}"} for k in range(4)]
    value = {"training": items[:2], "validation": items[2:3], "test": [*items[3:], {"image": "i/0_a.png"}, "x.png"]}
    return json.dumps({"name": "two", "labels": {"0": "background", "1": "core", "2": "rim"}} | value | change)


def arrays() -> dict[str, object]:
    files: dict[str, object] = {f"i/{k}_{c}.png": pixels(10 * k + n) for k in range(4) for n, c in enumerate("ab")}
    return files | {f"m/{k}.png": regions(k) for k in range(4)}


def test_a_data_list_of_images(make: Make) -> None:
    source = make({"dataset.json": datalist(), **arrays()})
    out, done = run("monai", source)
    read = samples(out)
    for k in range(4):
        sample = read[f"i/{k}_a.png"]
        assert np.array_equal(sample.image, np.stack([pixels(10 * k), pixels(10 * k + 1)]))
        assert np.array_equal(sample.mask, np.stack([regions(k) == 1, regions(k) == 2]))
        assert sample.patient == f"P{k}"
    assert [*parts_of(out).values()] == ["train", "train", "val", "test"]
    assert done.notes == ("2 items have no label, cannot be scored and are left out",)


def test_one_of_several_data_lists(make: Make) -> None:
    source = make({"a.json": datalist(), "b.json": datalist(test=[]), **arrays()})
    with pytest.raises(DataError, match="a JSON file with the key training, found 2"):
        run("monai", source)
    import_folder("monai", source / "b.json", source.parent / "out")
    assert TableSource(source.parent / "out").official_split() is None


def test_a_data_list_of_classes_and_volumes(make: Make) -> None:
    files: dict[str, object] = {f"{k}.nii.gz": volume(k) for k in range(2)} | {
        f"{k}_m.nii.gz": regions_of_volume(k) for k in range(2)
    }
    items = [{"image": f"{k}.nii.gz", "label": k, "mask": f"{k}_m.nii.gz"} for k in range(2)]
    source = make({"list.json": json.dumps({"training": items, "class_names": ["AD", "CN"]}), **files})
    out, _ = run("monai", source, structures=("core", "rim"))
    read, task = samples(out), TableSource(out).task
    assert (task.classes, task.structures, len(read)) == (("AD", "CN"), ("core", "rim"), 2 * D)
    sample = read["1.nii.gz slice 2"]
    assert (sample.label, sample.volume) == (1, "1.nii.gz")
    assert np.array_equal(sample.mask[0], regions_of_volume(1)[..., 2].T == 1)


LISTS = [
    (datalist(training=[{"image": "../x.png", "label": "m/0.png"}]), "path inside the folder, got '../x.png'"),
    (datalist(training=[{"image": "i/9.png", "label": "m/0.png"}]), "expected as many images as in the first item"),
    (datalist(training=[{"image": 3, "label": "m/0.png"}]), "training 0: image: expected the path of a file, got 3"),
    (datalist(training=["x.png"]), "training 0: expected image and label, got 'x.png'"),
    (datalist(validation=3), "validation: expected a list, got int"),
    (datalist(labels={"0": "background", "1": "core"}), "the mask has the values 0, 1, 2, expected 0, 1"),
    (
        datalist(validation=[{"image": ["i/2_a.png", "i/gone.png"], "label": "m/2.png"}]),
        "i/gone.png: the file is missing",
    ),
    ('{"training": [', "is not JSON"),
    ("{}", "expected one data list, a JSON file with the key training, found 0"),
]


@pytest.mark.parametrize(("text", "message"), LISTS)
def test_faulty_data_lists(make: Make, text: str, message: str) -> None:
    source = make({"list.json": text, **arrays()})
    with pytest.raises(DataError, match=message):
        samples(run("monai", source)[0])


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def mats(tmp_path: Path, make_slice: Callable[..., object]) -> dict[int, bytes]:
    for n in range(1, 7):
        make_slice(tmp_path / "made" / f"{n}.mat", label=n % 3, seed=n)
    return {n: (tmp_path / "made" / f"{n}.mat").read_bytes() for n in range(1, 7)}


def test_zips_in_zips_and_loose_files_are_found(tmp_path: Path, mats: dict[int, bytes]) -> None:
    inner = packed({"1.mat": mats[1], "sub/2.mat": mats[2], "__MACOSX/1.mat": b"no", "README.txt": b"x"})
    source = tmp_path / "source"
    (source / "more/deep").mkdir(parents=True)
    (source / "1512427.zip").write_bytes(packed({"part 1.zip": inner, "../../3.mat": mats[3], "cvind.mat": b"folds"}))
    (source / "more/b.zip").write_bytes(packed({"4.mat": mats[4], "1.mat": mats[1]}))
    (source / "more/deep/5.mat").write_bytes(mats[5])
    (source / "6.MAT").write_bytes(mats[6])
    out, done = run("figshare", source)
    assert {p.name for p in (out / "data").iterdir()} == {f"{n}.mat" for n in range(1, 7)}
    assert all((out / "data" / f"{n}.mat").read_bytes() == mats[n] for n in mats)
    assert (out / "cvind.mat").read_bytes() == b"folds"
    assert done.notes == (
        "6 slices, of which 4 were in 3 zip files",
        "1 slices occur more than once, with equal content",
    )
    assert not (tmp_path / "3.mat").exists()
    assert len(btlib.load_dataset(out, 16)) == 6


def test_a_folder_of_zips_says_what_to_do(tmp_path: Path, mats: dict[int, bytes]) -> None:
    source = tmp_path / "source"
    (source / "part").mkdir(parents=True)
    (source / "part/1.zip").write_bytes(packed({"1.mat": mats[1]}))
    with pytest.raises(DataError, match=r"btlib data import figshare .*source OUT"):
        btlib.load_dataset(source)
    (source / "part/1.zip").unlink()
    (source / "part/1.mat").write_bytes(mats[1])
    with pytest.raises(DataError, match=r"btlib data import figshare .*source OUT"):
        btlib.load_dataset(source)


def test_a_folder_of_images_says_which_layouts_it_has(make: Make) -> None:
    source = make(brisc())
    with pytest.raises(DataError, match=r"import them with `btlib data import brisc .*source OUT`, or list them"):
        btlib.load_dataset(source)


def test_faulty_zips(tmp_path: Path, mats: dict[int, bytes]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.zip").write_bytes(packed({"1.mat": mats[1]})[:-30])
    (source / "b.zip").write_bytes(packed({"1.mat": mats[1]}))
    (source / "1.mat").write_bytes(mats[2])
    bomb = b"0" * 100
    for _ in range(6):
        bomb = packed({"x.zip": bomb})
    (source / "deep.zip").write_bytes(bomb)
    with pytest.raises(DataError) as caught:
        run("figshare", source)
    for text in (
        "a.zip: cannot be unpacked",
        "slice 1 exists twice, with different content",
        "at most 4 levels of zip files",
    ):
        assert text in str(caught.value)
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no slices"):
        run("figshare", tmp_path / "empty")


def test_a_bomb_in_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btlib.data.layouts.unpacking.LARGEST", 1000)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.zip").write_bytes(packed({"1.mat": b"0" * 10**6}))
    with pytest.raises(DataError, match=r"1.mat: expected at most 1000 bytes, got 1000000"):
        run("figshare", tmp_path / "source")
