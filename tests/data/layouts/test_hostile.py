"""Files that were made to do harm, and files that are damaged: each ends in an error that names the file."""

import gzip
import itertools
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest

from btlib.data.layouts.importing import LAYOUTS, Options, import_folder
from btlib.errors import BtlibError, DataError, UnknownNameError

from .conftest import Make, pixels, regions, run, samples, volume


def png(width: int, height: int) -> bytes:
    """A PNG file of few bytes whose header states a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def nifti(*shape: int) -> bytes:
    """A compressed NIfTI file of few bytes whose header states a shape."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return gzip.compress(header.binaryblock + bytes(4) + bytes(100))


@pytest.mark.parametrize(
    "content",
    [png(40_000, 25_000), png(100_000, 10_000), b"", b"\x89PNG\r\n\x1a\n", b"no image"],
    ids=itertools.count(),
)
def test_masks_that_cannot_be_read(make: Make, content: bytes) -> None:
    source = make({"images/0.png": pixels(0), "masks/1.png": regions(0), "images/1.png": pixels(1)})
    (source / "masks/0.png").write_bytes(content)
    with pytest.raises(DataError, match=r"masks/0.png: "):
        run("pairs", source)
    assert not (source.parent / "out").exists()


@pytest.mark.parametrize("content", [png(40_000, 25_000), b"", b"no image"], ids=itertools.count())
def test_images_that_cannot_be_read(make: Make, content: bytes) -> None:
    source = make({"a/0.png": pixels(0), "b/1.png": pixels(1)})
    (source / "b/1.png").write_bytes(content)
    out, _ = run("class-folders", source)
    with pytest.raises(DataError, match=r"row 3 \(b/1.png\): "):
        samples(out)


@pytest.mark.parametrize(
    "content", [nifti(30_000, 30_000, 30_000), nifti(20, 20, 20), b"", gzip.compress(b"x"), b"x"], ids=itertools.count()
)
@pytest.mark.parametrize("name", ["images/0.nii.gz", "masks/0.nii.gz"])
def test_volumes_that_cannot_be_read(make: Make, content: bytes, name: str) -> None:
    source = make({"images/0.nii.gz": volume(0), "masks/0.nii.gz": (volume(0) > 0).astype(np.uint8)})
    (source / name).write_bytes(content)
    with pytest.raises(DataError, match=r"0.nii.gz"):
        samples(run("nifti", source)[0])


@pytest.mark.parametrize("layout", [*LAYOUTS])
def test_every_layout_refuses_what_is_not_there(layout: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/readme.txt").write_text("nothing")
    assert not LAYOUTS[layout].recognises(tmp_path / "source")
    with pytest.raises(DataError) as caught:
        import_folder(layout, tmp_path / "source", tmp_path / "out")
    assert caught.value.hint
    with pytest.raises(DataError, match="there is no such folder"):
        import_folder(layout, tmp_path / "gone", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", [*LAYOUTS])
def test_every_layout_ends_in_an_error_or_a_folder(layout: str, tmp_path: Path) -> None:
    """With files that are all damaged in some way, no exception but btlib's own leaves an import."""
    for part in ("a", "images", "masks", "imagesTr", "labelsTr", "classification_task/train/a"):
        for name in ("1.png", "1.nii.gz", "1.dcm", "1.mat", "1.zip", "1.npy", "dataset.json", "1_0000.png"):
            path = tmp_path / "source" / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(range(200)))
    (tmp_path / "source/dataset.json").write_bytes(b'{"training": [null, {}, {"image": []}], "labels": {"0": 1}}')
    with pytest.raises(BtlibError):
        samples(import_folder(layout, tmp_path / "source", tmp_path / "out", Options(name="x")).folder)
    assert layout in ("brisc", "class-folders") or not (tmp_path / "out").exists()  # these two read no pixels


@pytest.mark.parametrize(
    ("name", "told"), [("1\n.png", "printable"), ("a\\b.png", "a path with /"), ("\u202e1.png", "printable")]
)
def test_names_that_no_table_can_contain(make: Make, name: str, told: str) -> None:
    source = make({"b/1.png": pixels(1), "a/0.png": pixels(0)})
    (source / "a/0.png").rename(source / "a" / name)
    with pytest.raises(DataError, match=told):
        run("class-folders", source)


def test_a_folder_that_begins_with_a_space(make: Make) -> None:
    source = make({"b/1.png": pixels(1), " a/0.png": pixels(0)})
    with pytest.raises(DataError, match=r"begins or ends with a space: ' a/0.png'"):
        run("class-folders", source)


def test_an_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown layout 'nnunt'\n.*did you mean 'nnunet'"):
        import_folder("nnunt", tmp_path, tmp_path / "out")
