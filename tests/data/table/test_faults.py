"""Hostile and mistaken folders: each ends in a clear error that names the file and the row."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import btlib
from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError

from .conftest import H, Make, W, lesion, pixels


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "expected a column file_name, found nothing"),
        ("image,label\n0.png,a\n", "expected a column file_name, found image, label"),
        ("file_name,label\n", "the table has no rows"),
        ("file_name,label,label\n0.png,a,a\n", "columns occur more than once: label"),
        ("file_name,mask,mask:a\n0.png,,\n", "found both"),
        ("file_name,mask:\n0.png,\n", "name of a structure"),
        ("file_name,Label\n0.png,a\n", "unknown column 'Label', which is similar to 'label'"),
        ("file_name,label,patient_id\n0.png,a,P\n", "unknown column 'patient_id', which is similar to 'patient'"),
        ("file_name,label\n0.png\n", "row 2: expected 2 cells, as in the header, got 1"),
        ("file_name,label\n0.png,a\n0.png,a\n", r"row 3 \(0.png\): the same sample as in row 2"),
        ("file_name,label\n0.png,a\n./0.png,b\n", r"row 3 \(0.png\): the same sample as in row 2"),
        ("file_name,label\n,a\n", r"row 2 \(no file name\): file_name: .* blank"),
        ("file_name,label\n../scans/0.png,a\n", r"row 2 \(../scans/0.png\): expected a path inside the folder"),
        ("file_name,label\n/etc/passwd,a\n", "expected a path inside the folder, got '/etc/passwd'"),
        ("file_name,label\nC:/0.png,a\n", "expected a path inside the folder"),
        ("file_name,label\nimages\\0.png,a\n", "expected a path with /"),
        ("file_name,label\n0.png,a\nno.png,a\n", r"row 3 \(no.png\): no.png: the file is missing"),
        ("file_name,label\nmetadata.csv,a\n", "this type of file is not supported\nHint: known: .png"),
        ("file_name,label\nfolder.png,a\n", "the file is not a regular file"),
        ("file_name,label\nfolder.png/0.png,a\n", "folder.png/0.png: the file is missing"),
        ("file_name,label\nout.png,a\n", "out.png: the file is a link to a place outside the folder"),
        ("file_name,label\nlinked/0.png,a\n", "linked/0.png: the file is a link to a place outside the folder"),
        ("file_name,label\nloop.png,a\n", "loop.png: the file "),
        ("file_name,mask\n0.png,../0.png\n", "expected a path inside the folder, got '../0.png'"),
        ("file_name,label,patient\n0.png,a,P\n1.png,a,\n", r"row 3 \(1.png\): patient: blank, but other rows"),
        ("file_name,label\n0.png,a\n1.png,\n", r"row 3 \(1.png\): label: blank"),
        ("file_name,label,volume,patient\n0.png,a,V,P\n1.png,a,V,Q\n", "'V' has samples of patients 'P' and 'Q'"),
        (
            "file_name,label,split\n0.png,a,train\n1.png,a,tset\n",
            r"row 3 .*split: expected train, val or test",
        ),
        ("file_name,label,split\n0.png,a,train\n1.png,a,val\n", "split: no row has 'test'"),
        ("file_name,label,slice\n0.png,a,-1\n", "slice: expected a whole number from 0, got '-1'"),
        ("file_name,label,slice\n0.png,a,99999999999999999999\n", "slice: expected a whole number"),
        ('file_name,label\n"0.png,a\n', "unexpected end of data"),
        ("file_name,label\n0.png,a\0\n", "contains NUL"),
        ("file_name\n0.png\n", "there is nothing to predict"),
    ],
)
def test_a_table_with_a_fault(make: Make, tmp_path: Path, table: str, told: str) -> None:
    folder = make(table, files={"0.png": pixels(0), "1.png": pixels(1)})
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.fromarray(pixels(2)).save(outside / "0.png")
    (folder / "folder.png").mkdir()
    (folder / "out.png").symlink_to(outside / "0.png")
    (folder / "linked").symlink_to(outside)
    (folder / "loop.png").symlink_to("loop.png")
    with pytest.raises(DataError, match=told) as caught:
        _ = TableSource(folder).task
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("name = ", "task.toml: cannot be read"),
        ('colour = "red"', "colour: Extra inputs are not permitted"),
        ("spacing_mm = [1.0]", "spacing_mm"),
        ("spacing_mm = [1.0, -1.0]", "spacing"),
        ('blank_mask = "none"', "blank_mask"),
        ('classes = ["b"]', r"2 faults.*row 2 \(0.png\): label: expected one of b, got 'a'.*row 3 \(1.png\)"),
        ('structures = ["x"]', "structures: metadata.csv has no masks"),
        ('name = "figshare"', "belongs to a built-in task"),
        ('classes = ["a", "a"]', "occurs more than once"),
        ("[gate]\ndice = -1.0", "margins"),
        ("\ufeffname = 3", "name: expected text, got 3"),
    ],
)
def test_a_toml_with_a_fault(make: Make, toml: str, told: str) -> None:
    folder = make("file_name,label\n0.png,a\n1.png,a\n", toml, {"0.png": pixels(0), "1.png": pixels(1)})
    with pytest.raises(DataError, match=f"(?s){told}"):
        _ = TableSource(folder).task


def png_header(height: int, width: int) -> bytes:
    """A PNG file of almost no bytes whose header states a size."""
    chunks = b""
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(100))),
        (b"IEND", b""),
    ):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunks


def npy_header(*shape: int) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def truncated(name: str, tmp_path: Path) -> bytes:
    path = tmp_path / f"whole{Path(name).suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (H * 9, W * 9)).astype(np.uint8)).save(path)
    return path.read_bytes()[: path.stat().st_size // 2]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.png", png_header(8000, 9000), r"header states 8000 × 9000"),
        ("x.png", png_header(10_000, 100_000), "too many pixels"),
        ("x.png", png_header(40_000, 60_000), "too many pixels"),
        ("x.png", png_header(50, 60), "cannot be decoded"),
        ("x.npy", npy_header(100_000, 10_000), "cannot be read"),
        ("x.npy", npy_header(3), "shape|cannot be read"),
        ("x.npy", b"PK\x03\x04", "cannot be read"),
        ("x.png", b"", "is no PNG, JPEG, TIFF or BMP file"),
        ("x.jpg", b"hello", "is no PNG, JPEG, TIFF or BMP file"),
        ("x.png", None, "cannot be decoded: .*truncated"),
        ("x.jpg", None, "cannot be decoded: .*truncated"),
        ("x.bmp", None, "cannot be decoded: .*truncated"),
        ("x.tif", None, "cannot be decoded"),
    ],
)
def test_a_damaged_image(make: Make, tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    folder = make(f"file_name,label\n0.png,a\n{name},b\n", files={"0.png": pixels(0)})
    (folder / name).write_bytes(truncated(name, tmp_path) if content is None else content)
    with pytest.raises(DataError, match=rf"row 3 \({name}\): .*({told})"):
        btlib.load_dataset(folder, 16)


def test_objects_are_not_unpickled(make: Make) -> None:
    folder = make("file_name,label\n0.npy,a\n", files={})
    np.save(folder / "0.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"row 2.*Python objects"):
        btlib.load_dataset(folder, 16)


def test_a_mask_of_another_size(make: Make) -> None:
    folder = make("file_name,mask\n0.png,m.png\n", files={"0.png": pixels(0), "m.png": lesion(0).T.copy()})
    with pytest.raises(DataError, match=rf"row 2 \(0.png\): m.png: the mask has {W} × {H} pixels .* has {H} × {W}"):
        btlib.load_dataset(folder, 16)


def test_faults_are_listed_together_and_not_without_end(make: Make) -> None:
    rows = "".join(f"{i}.png,a\n" for i in range(50))
    with pytest.raises(DataError) as caught:
        TableSource(make(f"file_name,label\n{rows}"))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("scans: 50 faults")
    assert lines[1:3] == [f"  metadata.csv: row {i + 2} ({i}.png): {i}.png: the file is missing" for i in range(2)]
    assert lines[21] == "  … and 30 more"


def test_unreadable_images_are_listed_together(make: Make) -> None:
    folder = make("file_name,label\n0.png,a\n1.png,b\n2.png,b\n", files={"0.png": pixels(0)})
    for i in (1, 2):
        (folder / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)2 faulty files.*row 3 \(1.png\): is no PNG.*row 4 \(2.png\): is no PNG"):
        btlib.load_dataset(folder, 16)
