"""Images and masks of one name: pixels, classes, patients and parts come back exactly."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from btlib.data.layouts import figshare_copy
from btlib.data.sources.figshare.patient_table import PatientTable
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError, OptionError

from .conftest import Make, pixels, regions, run, samples, save

N = 4
NAMES: list[tuple[str, str]] = [
    ("images/{}.png", "masks/{}.png"),
    ("img/{}.tif", "Mask/{}_mask.png"),
    ("data/scans/{}.bmp", "data/ground_truth/{}.png"),
    ("{}.png", "{}_mask.png"),
    ("all/sub/{}.png", "all/sub/{}-seg.png"),
    ("image_{}.png", "mask_{}.png"),
    ("kaggle/P/scan_{}.tif", "kaggle/P/scan_{}_mask.tif"),
    ("x/images/img {}.png", "x/lesion_masks/img {}.npy"),
    ("ISIC_{}.png", "ISIC_{}_segmentation.png"),
]


def lesion(i: int) -> NDArray[np.uint8]:
    return (regions(i) > 0) * np.uint8(255)


@pytest.mark.parametrize(("image", "mask"), NAMES)
@pytest.mark.parametrize("copy", [True, False])
def test_masks_are_found_by_name(make: Make, image: str, mask: str, copy: bool) -> None:
    source = make({image.format(i): pixels(i) for i in range(N)} | {mask.format(i): lesion(i) for i in range(N)})
    out, done = run("pairs", source, copy=copy)
    assert done.n == N
    for i in range(N):
        sample = samples(out)[image.format(i)]
        assert np.array_equal(sample.image[0], pixels(i))
        assert np.array_equal(sample.mask[0], lesion(i) > 0)
    assert TableSource(out).task.structures == ("lesion",)


@pytest.mark.parametrize(
    ("image", "mask"), [("{}/images/{}.png", "{}/masks/{}.png"), ("images/{}/{}.png", "m/{}/{}.png")]
)
def test_folders_of_a_split(make: Make, image: str, mask: str) -> None:
    names = [(part, i) for i, part in enumerate(("Train", "train", "valid", "testing"))]
    files = {image.format(*one): pixels(one[1]) for one in names} | {mask.format(*one): lesion(one[1]) for one in names}
    options = {} if "masks" in mask else {"masks": "m", "images": "images"}
    parts = TableSource(run("pairs", make(files), **options)[0]).official_split()
    assert parts == {
        image.format(*one): part for one, part in zip(names, ("train", "train", "val", "test"), strict=True)
    }
    only = make({}) / "images" if "m/" in mask else None
    assert only is None or only.is_dir()


def test_parts_without_a_test_set_are_no_split(make: Make) -> None:
    files = {f"{part}/images/{i}.png": pixels(i) for i, part in enumerate(("train", "val"))}
    files |= {f"{part}/masks/{i}.png": lesion(i) for i, part in enumerate(("train", "val"))}
    out, done = run("pairs", make(files))
    assert TableSource(out).official_split() is None
    assert done.notes == ("the parts train, val are no official split: a split needs train and test",)


def test_classes_and_patients_of_paths(make: Make) -> None:
    """As of breast ultrasound images, of which some have several masks, in folders of classes."""
    files = {
        f"{label}/p{i} ({k}).png": pixels(10 * i + k) for i, label in enumerate(("benign", "normal")) for k in (1, 2)
    }
    files |= {"benign/p0 (1)_mask.png": lesion(0), "benign/p0 (1)_mask_1.png": np.roll(lesion(0), 5, 0)}
    files |= {"benign/p0 (2)_mask.png": lesion(2), "normal/p1 (1)_mask.png": lesion(1) * 0}
    source = make(files)
    with pytest.raises(DataError, match=r"1 images have no mask: normal/p1 \(2\).png\n.*--blank-mask empty"):
        run("pairs", source)
    out, done = run("pairs", source, label="folder", patient=r"/(p\d+) ", blank_mask="empty")
    read, task = samples(out), TableSource(out).task
    assert {key: (task.classes[sample.label or 0], sample.patient) for key, sample in read.items()} == {
        f"{label}/p{i} ({k}).png": (label, f"p{i}") for i, label in enumerate(("benign", "normal")) for k in (1, 2)
    }
    both = (lesion(0) > 0) | (np.roll(lesion(0), 5, 0) > 0)
    assert np.array_equal(read["benign/p0 (1).png"].mask[0], both)
    assert not read["normal/p1 (2).png"].mask.any()
    assert done.notes == ("1 images have no mask, which means: empty",)
    with pytest.raises(DataError, match=r"no patient is found by 'benign/\(p.\)'"):
        run("pairs", source, patient="benign/(p.)", blank_mask="empty", out="no")
    with pytest.raises(OptionError, match="--patient: expected folder, file or a regular expression"):
        run("pairs", source, patient="(", blank_mask="empty", out="no")


VALUES = [
    ({0: 0, 1: 1, 2: 2}, (), ("structure 1", "structure 2")),
    ({0: 0, 1: 1, 2: 2}, ("core", "rim"), ("core", "rim")),
    ({0: 0, 1: 100, 2: 200}, ("core", "rim"), ("core", "rim")),
    ({0: 0, 1: 4, 2: 4}, (), ("lesion",)),
    ({0: 0, 1: 7, 2: 9}, (), ("structure 7", "structure 9")),
]


@pytest.mark.parametrize(("values", "names", "structures"), VALUES)
def test_values_of_masks(
    make: Make, values: Mapping[int, int], names: tuple[str, ...], structures: tuple[str, ...]
) -> None:
    stored = np.vectorize(values.get)(regions(0)).astype(np.uint8)
    source = make({"images/0.png": pixels(0), "masks/0.png": stored})
    out, _ = run("pairs", source, structures=names)
    assert TableSource(out).task.structures == structures
    expected = np.stack([regions(0) > 0] if len(structures) == 1 else [regions(0) == 1, regions(0) == 2])
    assert np.array_equal(samples(out)["images/0.png"].mask, expected)


def test_structures_and_channels_by_file(make: Make) -> None:
    files = {f"images/0_{name}.png": pixels(k) for k, name in enumerate(("t1", "t1ce", "flair"))}
    files |= {"masks/core/0.png": lesion(0), "masks/rim/0.png": lesion(1)}
    out, _ = run("pairs", make(files), channels=("flair", "t1", "t1ce"), structures=("rim", "core"))
    sample = samples(out)["images/0_flair.png"]
    assert np.array_equal(sample.image, np.stack([pixels(2), pixels(0), pixels(1)]))
    assert np.array_equal(sample.mask, np.stack([lesion(1), lesion(0)]) > 0)
    assert TableSource(out).task.channels == ("flair", "t1", "t1ce")
    (out.parent / "source/images/0_t1.png").unlink()
    with pytest.raises(DataError, match=r"images/0_flair.png: the channel t1 is missing"):
        run("pairs", out.parent / "source", channels=("flair", "t1", "t1ce"), structures=("rim", "core"), out="no")


FAULTS: list[tuple[dict[str, str | None], str]] = [
    ({"masks/5.png": "masks/0.png"}, "masks/5.png: there is no image of this mask"),
    ({"images/0.bmp": "images/0.png"}, "has the name of another image"),
    ({"masks/0.png": None, "masks/1.png": None}, "no masks"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_pairs_that_do_not_fit(make: Make, change: dict[str, str | None], message: str) -> None:
    source = make({f"images/{i}.png": pixels(i) for i in range(2)} | {f"masks/{i}.png": lesion(i) for i in range(2)})
    for name, of in change.items():
        if of is None:
            (source / name).unlink()
        else:
            Image.open(source / of).save(source / name)
    with pytest.raises(DataError, match=message):
        run("pairs", source)
    assert not (source.parent / "out").exists()


def test_masks_of_jpeg_are_refused(make: Make, tmp_path: Path) -> None:
    source = make({"images/0.png": pixels(0)})
    (source / "masks").mkdir()
    noisy = Image.fromarray(lesion(0)).resize((220, 130))
    noisy.save(source / "masks/0.jpg", quality=40)
    with pytest.raises(DataError, match=r"different values.*\n.*JPEG file cannot store .*--mask-threshold"):
        run("pairs", source)
    save(source / "images/0.png", np.resize(pixels(0), (130, 220)))
    out, _ = run("pairs", source, mask_threshold=128)
    stored = np.asarray(Image.open(source / "masks/0.jpg"))
    assert len(np.unique(stored)) > 9
    assert np.array_equal(samples(out)["images/0.png"].mask[0], stored >= 128)
    with pytest.raises(DataError, match="mask_threshold: expected masks of one structure each"):
        run("pairs", source, mask_threshold=128, structures=("a", "b"), out="no")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> PatientTable:
    """A table of 40 slices in place of the real one: two of each person, in three classes."""
    marks = [mask_signature(shape(i) > 0) for i in range(40)]
    of = np.arange(40) // 2
    table = PatientTable(
        of + 1,
        of + 1,
        1 + of[::2] % 5,
        of % 3,
        *map(np.array, zip(*marks, strict=True)),
        source="a test",
        licence="none",
    )
    monkeypatch.setattr(figshare_copy, "figshare_patients", lambda: table)
    return table


def shape(i: int) -> NDArray[np.uint8]:
    mask = np.zeros((40, 70), np.uint8)
    mask[2 : 5 + i % 8, 9 : 20 + i] = 255
    return mask


def test_a_copy_of_figshare_is_recognised(make: Make, known: PatientTable) -> None:
    """By its masks: with other numbers, and mirrored."""
    files = {f"images/{40 - i}.png": np.fliplr(np.resize(pixels(i), (40, 70))) for i in range(40)}
    files |= {f"masks/{40 - i}.png": np.fliplr(shape(i)) for i in range(40)}
    source = make(files)
    out, done = run("pairs", source)
    assert "all 40 masks are those of the Figshare data set: classes and 20 patients" in done.notes[0]
    read, task = samples(out), TableSource(out).task
    for i in range(40):
        sample = read[f"images/{40 - i}.png"]
        assert (sample.patient, sample.label) == (str(i // 2 + 1), sorted(task.classes).index(_class(i)))
    assert (task.structures, task.licence) == (("tumour",), "CC BY 4.0")
    unknown, _ = run("pairs", source, recognise=False, out="unknown")
    assert {sample.patient for sample in samples(unknown).values()} == {None}
    Image.fromarray(np.rot90(shape(3)) // 2 * 2).save(source / "masks/7.png")
    Image.fromarray(np.eye(40, 70).astype(np.uint8)).save(source / "masks/7.png")
    with pytest.raises(DataError, match=r"39 of 40 masks are those .* The others are unknown: images/7.png"):
        run("pairs", source, out="no")


def _class(i: int) -> str:
    from btlib.data.sources.tasks import FIGSHARE

    return FIGSHARE.classes[i // 2 % 3]


def test_other_masks_are_not_taken_for_figshare(make: Make) -> None:
    source = make({f"images/{i}.png": pixels(i) for i in range(9)} | {f"masks/{i}.png": lesion(i) for i in range(9)})
    out, done = run("pairs", source)
    assert done.notes == ()
    assert (out / "metadata.csv").read_text().startswith("file_name,mask\n")


def test_out_must_be_new(make: Make, tmp_path: Path) -> None:
    source = make({"images/0.png": pixels(0), "masks/0.png": lesion(0)})
    with pytest.raises(OptionError, match="the folder lies in the source folder"):
        run("pairs", source, out="source/out")
    (tmp_path / "out").mkdir()
    out, _ = run("pairs", source)
    with pytest.raises(OptionError, match=r"the folder is not empty"):
        run("pairs", source)
    with pytest.raises(OptionError, match=r"the layout pairs does not use --axis\n.*--blank-mask"):
        run("pairs", source, axis=1, out="no")
    (source / "images").rename(source / "gone")
    with pytest.raises(DataError, match=r"images/0.png: the file is missing"):
        TableSource(out)
    source.rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"root: there is no folder .*source\n.*correct root in task.toml"):
        TableSource(out)


def test_links_out_of_the_source_are_refused(make: Make, tmp_path: Path) -> None:
    source = make({"images/0.png": pixels(0), "masks/0.png": lesion(0)})
    (source / "images/0.png").rename(tmp_path / "0.png")
    (source / "images/0.png").symlink_to(tmp_path / "0.png")
    for copy in (True, False):
        with pytest.raises(DataError, match=r"images/0.png: the file is a link to a place outside the folder"):
            run("pairs", source, copy=copy)
    assert not (tmp_path / "out").exists()
