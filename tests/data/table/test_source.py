"""A folder with `metadata.csv`: pixels, labels, masks and patients come back exactly."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import btlib
from btlib.data.load import open_source
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.source import DatasetSource
from btlib.data.sources.table.source import TableSource
from btlib.errors import BtlibWarning, DataError

from .conftest import H, Make, W, lesion, pixels

N = 6
CLASSES = ("type 2", "type 10", "type 1")


def table(n: int = N) -> str:
    rows = [f"images/{i}.png,masks/{i}.png,{CLASSES[i % 3]},P{i // 2},V{i // 2}\n" for i in range(n)]
    return "file_name,mask,label,patient,volume\n" + "".join(rows)


@pytest.fixture
def folder(make: Make) -> Path:
    masks = {f"masks/{i}.png": lesion(i).astype(np.uint8) * 255 for i in range(N)}
    return make(table(), files={f"images/{i}.png": pixels(i) for i in range(N)} | masks)


def read(source: DatasetSource, at: int = 0):
    return source.read(source.samples()[at])


def test_everything_comes_back(folder: Path) -> None:
    """Read as by Pillow and NumPy; classes stand in natural order."""
    source = open_source(folder)
    assert isinstance(source, TableSource)
    for i, info in enumerate(source.samples()):
        sample = source.read(info)
        assert np.array_equal(sample.image, np.asarray(Image.open(folder / f"images/{i}.png"))[None])
        assert (sample.image.shape, sample.image.dtype) == ((1, H, W), np.uint8)
        assert np.array_equal(sample.mask, lesion(i)[None])
        assert (sample.id, sample.patient, sample.volume) == (f"images/{i}.png", f"P{i // 2}", f"V{i // 2}")
        assert source.task.classes[sample.label] == CLASSES[i % 3]
    assert source.task.classes == ("type 1", "type 2", "type 10")
    assert (source.task.name, source.task.structures, source.task.channels) == ("scans", ("lesion",), ("intensity",))


def test_it_is_loaded_as_any_other_folder(folder: Path) -> None:
    dataset = btlib.load_dataset(folder, 16, "thesis")
    assert dataset.ids.tolist() == [f"images/{i}.png" for i in range(N)]
    for i in range(N):
        assert np.array_equal(dataset.images[i], prepare_image(pixels(i)[None], 16))
        assert np.array_equal(dataset.masks[i, 0], prepare_mask(lesion(i), 16))
    assert dataset.strata.tolist() == [1, 2, 0, 1, 2, 0]
    assert dataset.patients == tuple(f"P{i // 2}" for i in range(N))
    assert dataset.volumes == tuple(f"V{i // 2}" for i in range(N))
    assert (dataset.folder, dataset.official) == (folder, None)


def test_changed_files_and_tables_are_noticed(folder: Path) -> None:
    first = btlib.load_dataset(folder, 16)
    Image.fromarray(pixels(99)).save(folder / "images/3.png")
    second = btlib.load_dataset(folder, 16)
    assert second.truth_fingerprint == first.truth_fingerprint
    assert second.input_fingerprint != first.input_fingerprint
    text = (folder / "metadata.csv").read_text().replace("type 10", "type 1")
    (folder / "metadata.csv").write_text(text)
    third = btlib.load_dataset(folder, 16)
    assert third.task.classes == ("type 1", "type 2")
    assert third.truth_fingerprint != second.truth_fingerprint


def test_a_worker_gets_no_table(folder: Path) -> None:
    source = TableSource(folder)
    info = source.samples()[4]
    copy = pickle.loads(pickle.dumps(source))
    assert len(pickle.dumps(source)) < 3000
    assert np.array_equal(copy.read(info).image, source.read(info).image)
    assert copy.task == source.task


def test_the_toml_says_what_cannot_be_seen(folder: Path) -> None:
    toml = """
    name = "mine"
    classes = ["type 10", "type 2", "type 1"]
    structures = ["tumour"]
    channels = ["T1"]
    spacing_mm = [0.5, 0.7]
    licence = "CC0"
    citation = "doi 10/1"
    independent = true
    [gate]
    dice = 0.03
    """
    (folder / "task.toml").write_text(toml)
    task = TableSource(folder).task
    assert (task.name, task.classes, task.structures) == ("mine", ("type 10", "type 2", "type 1"), ("tumour",))
    assert (task.channels, task.spacing, task.independent) == (("T1",), (0.5, 0.7), True)
    assert (task.licence, task.citation, task.margins) == ("CC0", "doi 10/1", (("dice", 0.03),))
    assert read(TableSource(folder)).label == 1


def test_masks_by_column_and_by_number(make: Make) -> None:
    both = lesion(0).astype(np.uint8) + np.roll(lesion(0), 1, 0)
    files = {"0.png": pixels(0), "a.png": (both == 1).astype(np.uint8), "b.png": (both == 2) * np.uint8(255)}
    files["both.png"] = both
    by_column = TableSource(make("file_name,mask:core,mask:rim\n0.png,a.png,b.png\n", "", files))
    assert by_column.task.structures == ("core", "rim")
    expected = np.stack([both == 1, both == 2])
    assert np.array_equal(read(by_column).mask, expected)
    reordered = TableSource(make("file_name,mask:core,mask:rim\n0.png,a.png,b.png\n", 'structures = ["rim", "core"]'))
    assert np.array_equal(read(reordered).mask, expected[::-1])
    one = TableSource(make("file_name,mask:core,mask:rim\n0.png,,b.png\n", 'structures = ["rim"]'))
    assert np.array_equal(read(one).mask, expected[1:])
    by_number = TableSource(make("file_name,mask\n0.png,both.png\n", 'structures = ["core", "rim"]'))
    assert np.array_equal(read(by_number).mask, expected)
    with pytest.raises(DataError, match=r"row 2 \(0.png\): both.png: the mask has the values 0, 1, 2, expected 0 and"):
        read(TableSource(make("file_name,mask\n0.png,both.png\n", 'structures = ["core"]')))
    with pytest.raises(DataError, match=r"values 0, 255, expected 0…2 for 2 structures"):
        read(TableSource(make("file_name,mask\n0.png,b.png\n", 'structures = ["core", "rim"]')))


BLANK = "file_name,mask,label\n0.png,,no\n1.png,1m.png,yes\n"


def test_what_a_blank_mask_means_must_be_said(make: Make) -> None:
    files = {"0.png": pixels(0), "1.png": pixels(1), "1m.png": lesion(1)}
    with pytest.raises(DataError, match=r"row 2 \(0.png\): the mask is blank\n.*blank_mask = \"empty\""):
        TableSource(make(BLANK, files=files))
    empty = TableSource(make(BLANK, 'blank_mask = "empty"'))
    assert [read(empty, i).mask.sum() for i in (0, 1)] == [0, lesion(1).sum()]
    with pytest.warns(BtlibWarning, match="1 of 2 samples have blank masks and are left out"):
        left_out = TableSource(make(BLANK, 'blank_mask = "unlabelled"'))
    assert [info.id for info in left_out.samples()] == ["1.png"]


def test_colours_are_channels_and_equal_colours_are_grey(make: Make) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (H, W, 3)).astype(np.uint8)
    grey = np.repeat(pixels(1)[..., None], 3, -1)
    rows = "file_name,label\n0.png,a\n1.png,b\n"
    source = TableSource(make(rows, files={"0.png": colour, "1.png": grey}))
    assert len(source.task.channels) == 3
    assert np.array_equal(read(source, 0).image, np.moveaxis(colour, -1, 0))
    source = TableSource(make("file_name,label\n1.png,a\n0.png,b\n"))
    assert np.array_equal(read(source, 0).image, pixels(1)[None])
    with pytest.raises(DataError, match=r"row 3 \(0.png\): the image has 3 channels, expected 1 \(intensity\)\n.*toml"):
        read(source, 1)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (pixels(0, np.uint16, 4000), "uint16 intensities"),
        (pixels(0).astype(np.float32) / 255, r"already scaled to 0…1 \(float32\)"),
        (pixels(0).astype(np.int16) - 100, "int16 intensities, -"),
    ],
)
def test_a_division_by_255_is_for_8_bits(make: Make, image: np.ndarray, found: str) -> None:
    folder = make("file_name,label\n0.npy,a\n1.npy,b\n", files={"0.npy": image, "1.npy": image})
    with pytest.raises(
        DataError, match=rf'(?s)2 faulty.*row 2 \(0.npy\): the scaling "thesis" divides.*{found}.*zscore'
    ):
        btlib.load_dataset(folder, 16, "thesis")
    assert btlib.load_dataset(folder, 16).scaling == "percentile"
    for scaling in ("percentile", "zscore"):
        dataset = btlib.load_dataset(folder, 16, scaling)
        assert np.array_equal(dataset.images[0], prepare_image(image[None], 16, scaling))


def test_a_folder_of_images_without_a_table_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "yes").mkdir()
    Image.fromarray(pixels(0)).save(tmp_path / "yes" / "1.jpg")
    with pytest.raises(DataError, match=r"contains 1 \.jpg files, but no metadata\.csv\nHint: list them"):
        open_source(tmp_path)


def test_a_link_in_the_folder_is_a_file_of_it(folder: Path) -> None:
    (folder / "images" / "0.png").rename(folder / "there.png")
    (folder / "images" / "0.png").symlink_to("../there.png")
    assert np.array_equal(read(TableSource(folder)).image[0], pixels(0))
