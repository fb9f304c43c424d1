"""Size of a pixel in the headers of DICOM and NIfTI files: rows first, and nothing where nothing is stated."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from btlib.data import load_dataset
from btlib.data.sources.table.pixel_size import dicom_pixel_size, nifti_pixel_size
from btlib.data.sources.table.source import TableSource


def dicom(path: Path, spacing: object = None, *, frames: list[object] | None = None, shared: object = None) -> Path:
    """A header with the sizes of a plain file, of all frames, and of each frame."""

    def group(value: object) -> pydicom.Dataset:
        measures, found = pydicom.Dataset(), pydicom.Dataset()
        if value is not None:
            measures.PixelSpacing = value
            found.PixelMeasuresSequence = [measures]
        return found

    header = pydicom.Dataset()
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.SOPInstanceUID = "1.2.3"
    if spacing is not None:
        header.PixelSpacing = spacing
    header.ImagerPixelSpacing = [9.0, 9.0]
    if shared is not None:
        header.SharedFunctionalGroupsSequence = [group(shared)]
    if frames is not None:
        header.PerFrameFunctionalGroupsSequence = [group(one) for one in frames]
    header.Rows, header.Columns, header.SamplesPerPixel = 4, 6, 1
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation, header.PhotometricInterpretation = 7, 0, "MONOCHROME2"
    header.PixelData = np.arange(24, dtype=np.uint8).tobytes()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.save_as(path, enforce_file_format=True)
    return path


def nifti(path: Path, zooms: tuple[float, ...], unit: str | None = "mm", *, placed: bool = True) -> Path:
    shape = (4, 5, 6, 2)[: len(zooms)]
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.diag([*zooms[:3], 1.0]) if placed else None)
    image.header.set_zooms(zooms)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


def in_dicom(path: Path, frame: int = 0) -> object:
    return dicom_pixel_size(pydicom.dcmread(path), frame)


def in_nifti(path: Path, axis: int | None = None) -> object:
    return nifti_pixel_size(nibabel.load(path).header, axis)


def test_rows_come_before_columns_in_dicom(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    assert in_dicom(dicom(path, [0.5, 2.0])) == (0.5, 2.0)
    assert in_dicom(dicom(path)) is None  # the size on the detector is another one
    assert in_dicom(dicom(path, shared=[0.7, 0.8]), 3) == (0.7, 0.8)
    enhanced = dicom(path, shared=[0.7, 0.8], frames=[[1, 2], None, [3, 4]])
    assert [in_dicom(enhanced, i) for i in (0, 1, 2)] == [(1, 2), (0.7, 0.8), (3, 4)]


@pytest.mark.parametrize("spacing", [[0, 1], [-1, 1], [1.0], [1, 2, 3], ""])
def test_an_invalid_size_is_none(tmp_path: Path, spacing: object) -> None:
    assert in_dicom(dicom(tmp_path / "x.dcm", spacing)) is None


@pytest.mark.parametrize(("axis", "expected"), [(None, (2, 1)), (2, (2, 1)), (1, (3, 1)), (0, (3, 2))])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_of_a_slice_of_nifti(tmp_path: Path, axis: int | None, expected: tuple[int, int], suffix: str) -> None:
    """A slice along z has y downwards and x to the right, as it is read."""
    assert in_nifti(nifti(tmp_path / f"x{suffix}", (1, 2, 3)), axis) == expected
    assert in_nifti(nifti(tmp_path / f"y{suffix}", (1, 2, 3, 9)), axis) == expected


def test_units_of_nifti(tmp_path: Path) -> None:
    path = tmp_path / "x.nii"
    assert in_nifti(nifti(path, (1, 2, 3), "meter")) == (2000, 1000)
    assert in_nifti(nifti(path, (1, 2, 3), "micron")) == pytest.approx((0.002, 0.001))
    assert in_nifti(nifti(path, (1, 2, 3), "unknown")) == (2, 1)
    assert in_nifti(nifti(path, (1, 1, 1), "unknown")) == (1, 1)  # placed in space
    assert in_nifti(nifti(path, (1, 1, 1), "unknown", placed=False)) is None


def test_a_folder_of_mixed_files_has_the_sizes_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DICOM and NIfTI files state their sizes; PNG files do not."""
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "scans"
    home.mkdir()
    dicom(home / "a.dcm", [0.5, 2.0])
    nifti(home / "b.nii", (1, 2, 3))
    Image.fromarray(np.zeros((6, 4), np.uint8)).save(home / "c.png")
    for name, size in {"a": (4, 6), "b": (5, 4), "c": (6, 4)}.items():
        Image.fromarray(np.eye(*size, dtype=bool)).save(home / f"{name}-mask.png")
    rows = ["a.dcm,a-mask.png,,", "b.nii,b-mask.png,1,2", "c.png,c-mask.png,,"]
    (home / "metadata.csv").write_text("\n".join(["file_name,mask,slice,axis", *rows]))
    source = TableSource(home)
    assert [source.read(info).spacing for info in source.samples()] == [(0.5, 2.0), (2.0, 1.0), None]
    originals = load_dataset(home, 8).originals
    assert originals is not None
    found = [originals.read(i) for i in range(3)]
    assert [None if one is None else one.spacing for one in found] == [(0.5, 2.0), (2.0, 1.0), None]
    assert [one.mask.shape for one in found if one is not None] == [(1, 4, 6), (1, 5, 4)]
    (home / "task.toml").write_text("spacing_mm = [7, 8]\n")  # has priority, so that a wrong header can be corrected
    source = TableSource(home)
    assert [source.read(info).spacing for info in source.samples()] == [(7.0, 8.0)] * 3
