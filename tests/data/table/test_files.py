"""Types of image files: what is read is what Pillow, OpenCV, NumPy, pydicom and nibabel read of it."""

import sys
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from btlib.data.sources.table import volume_cache
from btlib.data.sources.table.image_files import read_image, read_mask, require_packages
from btlib.errors import DataError, MissingExtraError

from .conftest import H, W, lesion, pixels

DEEP = np.random.default_rng(1).integers(0, 2**16, (H, W, 3)).astype(np.uint16)
COLOUR = np.random.default_rng(2).integers(0, 256, (H, W, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "jpg"])
def test_8_bits(tmp_path: Path, suffix: str) -> None:
    for array in (pixels(0), COLOUR):
        path = tmp_path / f"x.{suffix}"
        Image.fromarray(array).save(path)
        expected = np.asarray(Image.open(path)) if suffix == "jpg" else array
        found = read_image(path, None, None)
        assert found.dtype == np.uint8
        assert np.array_equal(found, expected[None] if array.ndim == 2 else np.moveaxis(expected, -1, 0))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_of_grey(tmp_path: Path, suffix: str) -> None:
    deep = pixels(0, np.uint16, 2**16)
    Image.fromarray(deep).save(tmp_path / f"x.{suffix}")
    found = read_image(tmp_path / f"x.{suffix}", None, None)
    assert found.dtype == np.uint16
    assert np.array_equal(found, deep[None])


def test_16_bits_of_colour(tmp_path: Path) -> None:
    """Pillow alone would cut them to 8 bits."""
    cv2.imwrite(str(tmp_path / "x.png"), DEEP[..., ::-1])
    tifffile.imwrite(tmp_path / "x.tif", DEEP, photometric="rgb")
    for name in ("x.png", "x.tif"):
        found = read_image(tmp_path / name, None, None)
        assert found.dtype == np.uint16
        assert np.array_equal(found, np.moveaxis(DEEP, -1, 0))


def test_tiff_of_many_channels_of_floats(tmp_path: Path) -> None:
    planes = np.random.default_rng(0).normal(size=(5, H, W)).astype(np.float32)
    tifffile.imwrite(tmp_path / "x.tif", planes, photometric="minisblack", planarconfig="separate")
    assert np.array_equal(read_image(tmp_path / "x.tif", None, None), planes)


def test_pages_of_a_tiff_are_slices(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    images = [Image.fromarray(pixels(i)) for i in range(3)]
    images[0].save(path, save_all=True, append_images=images[1:])
    assert np.array_equal(read_image(path, 2, None)[0], pixels(2))
    with pytest.raises(DataError, match=r"the file has 3 pages\n.*column slice"):
        read_image(path, None, None)
    with pytest.raises(DataError, match="slice: expected 0…2 along axis 0, got 3"):
        read_image(path, 3, None)


def test_palettes_and_transparency(tmp_path: Path) -> None:
    """A mask with a palette is its numbers, an image its colours; what is hidden is refused."""
    numbers = (pixels(0) % 3).astype(np.uint8)
    indexed = Image.fromarray(numbers, "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    indexed.save(tmp_path / "p.png")
    assert np.array_equal(read_mask(tmp_path / "p.png", None, None), numbers)
    assert np.array_equal(read_image(tmp_path / "p.png", None, None)[1], 20 + 30 * numbers)
    opaque = np.concatenate([COLOUR, np.full((H, W, 1), 255, np.uint8)], -1)
    Image.fromarray(opaque).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", None, None), np.moveaxis(COLOUR, -1, 0))
    opaque[3, 4, 3] = 254
    Image.fromarray(opaque).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="transparent"):
        read_image(tmp_path / "a.png", None, None)
    cv2.imwrite(str(tmp_path / "d.png"), np.concatenate([DEEP, DEEP[..., :1]], -1))
    with pytest.raises(DataError, match="transparent"):
        read_image(tmp_path / "d.png", None, None)
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "c.jpg")
    with pytest.raises(DataError, match="colour mode CMYK"):
        read_image(tmp_path / "c.jpg", None, None)


def test_masks_of_one_bit_and_of_colours(tmp_path: Path) -> None:
    Image.fromarray(lesion(0)).save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png", None, None), lesion(0) * 255)
    np.save(tmp_path / "m.npy", lesion(0))
    assert np.array_equal(read_mask(tmp_path / "m.npy", None, None), lesion(0) * 255)
    Image.fromarray(COLOUR).save(tmp_path / "c.png")
    with pytest.raises(DataError, match="3 different channels"):
        read_mask(tmp_path / "c.png", None, None)
    np.save(tmp_path / "f.npy", np.full((H, W), 0.5))
    with pytest.raises(DataError, match="whole numbers"):
        read_mask(tmp_path / "f.npy", None, None)


@pytest.mark.parametrize("dtype", ["u1", ">i2", "<f2", ">f8", "i8"])
def test_arrays(tmp_path: Path, dtype: str) -> None:
    volume = np.random.default_rng(0).integers(0, 100, (40, H, W)).astype(dtype)
    np.save(tmp_path / "x.npy", volume)
    assert np.array_equal(read_image(tmp_path / "x.npy", 7, None), volume[7:8])
    assert np.array_equal(read_image(tmp_path / "x.npy", 7, 1)[0], volume[:, 7])
    with pytest.raises(DataError, match=r"32 channels, got \(40, 13, 22\)\n.*column slice"):
        read_image(tmp_path / "x.npy", None, None)
    np.save(tmp_path / "x.npy", volume[:4])
    assert np.array_equal(read_image(tmp_path / "x.npy", None, None), volume[:4])
    assert read_image(tmp_path / "x.npy", None, None).dtype.isnative
    for number, axis, told in ((4, 0, "slice: expected 0…3 along axis 0"), (0, 3, "axis: expected 0…2, got 3")):
        with pytest.raises(DataError, match=told):
            read_image(tmp_path / "x.npy", number, axis)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_nifti(tmp_path: Path, suffix: str, axis: int | None) -> None:
    """A slice has the later axis downwards."""
    volume = np.random.default_rng(0).integers(-500, 500, (H, W, 7)).astype(np.int16)
    path = tmp_path / f"x{suffix}"
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
    expected = np.take(volume, 5, 2 if axis is None else axis).T
    assert np.array_equal(read_image(path, 5, axis), expected[None])
    with pytest.raises(DataError, match="column slice"):
        read_image(path, None, axis)
    with pytest.raises(DataError, match="axis: expected 0…2, got 3"):
        read_image(path, 0, 3)


def test_nifti_of_channels_and_of_a_scale(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 500, (H, W, 3, 2)).astype(np.int16)
    image = nibabel.Nifti1Image(volume, np.eye(4))
    image.header.set_slope_inter(0.5, -10)
    nibabel.save(image, tmp_path / "x.nii")
    found = read_image(tmp_path / "x.nii", 1, None)
    expected = np.asarray(nibabel.load(tmp_path / "x.nii").get_fdata())[:, :, 1]
    assert np.allclose(found, np.moveaxis(expected, -1, 0).swapaxes(1, 2))
    (tmp_path / "x.nii").write_bytes((tmp_path / "x.nii").read_bytes()[:400])
    with pytest.raises(DataError, match="cannot be decoded"):
        read_image(tmp_path / "x.nii", 1, None)
    one = nibabel.Nifti1Image(volume[:, :, 0, 0], np.eye(4))
    nibabel.save(one, tmp_path / "y.nii")
    assert np.array_equal(read_image(tmp_path / "y.nii", None, None)[0], volume[:, :, 0, 0].T)


def dicom(path: Path, values: NDArray[Any] | None, **tags: Any) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    header = pydicom.Dataset()
    header.file_meta = meta
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    if values is not None:
        header.Rows, header.Columns = values.shape[-2:]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated = values.dtype.itemsize * 8
        header.BitsStored, header.HighBit = header.BitsAllocated, header.BitsAllocated - 1
        header.PixelRepresentation = int(values.dtype.kind == "i")
        header.PixelData = values.tobytes()
    for name, value in tags.items():
        setattr(header, name, value)
    header.save_as(path, enforce_file_format=True)
    return path


def test_dicom(tmp_path: Path) -> None:
    path, raw = tmp_path / "x.dcm", pixels(0, np.uint16, 4096)
    assert np.array_equal(read_image(dicom(path, raw), None, None), raw[None])
    plain = dicom(tmp_path / "IM0001", pixels(1))
    assert read_image(plain, None, None).dtype == np.uint8
    units = read_image(dicom(path, raw, RescaleSlope=2, RescaleIntercept=-1024), None, None)
    assert np.array_equal(units[0], raw * 2.0 - 1024)
    signed = raw.astype(np.int16) - 2000
    assert np.array_equal(read_image(dicom(path, signed), None, None)[0], signed)
    assert np.array_equal(read_mask(dicom(path, raw, RescaleSlope=2), None, None), raw)


def test_dicom_whose_lowest_value_is_white(tmp_path: Path) -> None:
    path, raw = tmp_path / "x.dcm", pixels(0, np.uint16, 4096)
    inverted = dicom(path, raw, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    assert np.array_equal(read_image(inverted, None, None)[0], 4095 - raw)
    signed = (pixels(0).astype(np.int16) - 128).astype(np.int8)
    inverted = dicom(path, signed, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_image(inverted, None, None)[0], -1 - signed.astype(int))


def test_frames_of_dicom_are_slices(tmp_path: Path) -> None:
    frames = np.stack([pixels(i) for i in range(4)])
    path = dicom(tmp_path / "x.dcm", frames, NumberOfFrames=4)
    assert np.array_equal(read_image(path, 2, None)[0], frames[2])
    with pytest.raises(DataError, match=r"the file has 4 frames\n.*column slice"):
        read_image(path, None, None)
    with pytest.raises(DataError, match="slice: expected 0…3 along axis 0, got 4"):
        read_image(path, 4, None)


def test_dicom_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    with pytest.raises(DataError, match="has no pixels"):
        read_image(dicom(path, None), None, None)
    with pytest.raises(DataError, match="header states 60000 × 60000"):
        read_image(dicom(path, pixels(0), Rows=60000, Columns=60000), None, None)
    with pytest.raises(DataError, match="cannot be decoded"):
        read_image(dicom(path, pixels(0), Rows=600), None, None)
    with pytest.raises(DataError, match="MONOCHROME2 or RGB, got PALETTE COLOR"):
        read_image(dicom(path, pixels(0), PhotometricInterpretation="PALETTE COLOR"), None, None)
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="cannot be decoded"):
        read_image(path, None, None)


@pytest.mark.parametrize(("package", "kind", "extra"), [("pydicom", "dicom", "dicom"), ("nibabel", "nifti", "nifti")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str, kind: Any, extra: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed\n.*btlib\[{extra}\]"):
        require_packages({kind})
    require_packages({"raster", "array"})


def test_compressed_volumes_stay_in_memory_and_changes_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a scaling, and if the memory has room for one volume only."""
    monkeypatch.setattr(volume_cache, "_LARGEST", 5 * 6 * 7 * 2)
    for round in range(2):
        stored = {name: np.random.default_rng(round + k).normal(0, 9, (5, 6, 7)) for k, name in enumerate("ab")}
        for name, values in stored.items():
            image = nibabel.Nifti1Image(values, np.eye(4))
            image.set_data_dtype(np.int16)  # nibabel chooses a slope
            nibabel.save(image, tmp_path / f"{name}.nii.gz")
        for z in (3, 0):
            for name in stored:
                path = tmp_path / f"{name}.nii.gz"
                expected = nibabel.load(path).get_fdata()[..., z].T
                assert np.array_equal(read_image(path, z, None)[0], expected)
        assert len(volume_cache._cached) == 1
