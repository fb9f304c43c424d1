"""NIfTI volumes and DICOM series: slices, patients and spacing come back exactly."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError, OptionError

from .conftest import D, H, Make, W, pixels, regions, regions_of_volume, run, samples, save, volume


def brats(i: int) -> NDArray[np.uint8]:
    """A mask with the values of BraTS: 0, 1 and 4."""
    return np.array([0, 1, 4], np.uint8)[regions_of_volume(i)]


@pytest.fixture
def source(make: Make) -> Path:
    files = {}
    for i in (1, 2):
        home = f"data/BraTS20_Training_00{i}/BraTS20_Training_00{i}"
        files |= {f"{home}_t1.nii.gz": volume(i), f"{home}_t1ce.nii.gz": volume(10 * i), f"{home}_seg.nii": brats(i)}
    return make(files)


def test_volumes_of_two_channels(source: Path) -> None:
    out, done = run("nifti", source, channels=("t1ce", "t1"), structures=("core", "rim"))
    read = samples(out)
    assert len(read) == done.n == 2 * D
    assert done.notes == ("2 patients are taken from the folders; --patient states another rule",)
    for i in (1, 2):
        home = f"data/BraTS20_Training_00{i}/BraTS20_Training_00{i}"
        for z in range(D):
            sample = read[f"{home}_t1ce.nii.gz slice {z}"]
            assert np.array_equal(sample.image, np.stack([volume(10 * i)[..., z].T, volume(i)[..., z].T]))
            assert np.array_equal(sample.mask, np.stack([brats(i)[..., z].T == 1, brats(i)[..., z].T == 4]))
            assert (sample.patient, sample.spacing) == (f"BraTS20_Training_00{i}", (0.75, 0.5))
            assert sample.volume == f"BraTS20_Training_00{i}/BraTS20_Training_00{i}"
    assert TableSource(out).task.structures == ("core", "rim")


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_chosen_slices(source: Path, axis: int | None) -> None:
    at = 2 if axis is None else axis
    out, _ = run("nifti", source, channels=("t1", "t1ce"), axis=axis, slices="mask")
    others = tuple(k for k in range(3) if k != at)
    filled = [int(k) for i in (1, 2) for k in np.flatnonzero(brats(i).any(axis=others))]
    assert [int(key.replace(":", " ").split()[-1]) for key in samples(out)] == filled
    out, _ = run("nifti", source, channels=("t1", "t1ce"), axis=axis, slices="every:2", out="some")
    assert len(samples(out)) == 2 * len(range(0, (W, H, D)[at], 2))
    sample = next(iter(samples(out).values()))
    assert sample.spacing == {0: (3.0, 0.75), 1: (3.0, 0.5), 2: (0.75, 0.5)}[at]
    with pytest.raises(OptionError, match="--slices: expected all, mask or every:N, got 'every:0'"):
        run("nifti", source, channels=("t1", "t1ce"), slices="every:0", out="no")


PATIENTS = [
    ({"sub-1/ses-1/anat/sub-1_T1w.nii": 1, "sub-1/ses-2/anat/sub-1_T1w.nii": 2}, {}, ["sub-1", "sub-1"]),
    ({"images/a.nii": 1, "images/b.nii": 2}, {}, ["a", "b"]),
    ({"images/p1_a.nii": 1, "images/p1_b.nii": 2}, {"patient": "(p[0-9]+)_"}, ["p1", "p1"]),
]


@pytest.mark.parametrize(("files", "options", "patients"), PATIENTS)
def test_patients_of_volumes(make: Make, files: dict[str, int], options: dict[str, str], patients: list[str]) -> None:
    masks = {k.replace("images", "labels").replace("_T1w", "_T1w_seg"): regions_of_volume(i) for k, i in files.items()}
    source = make({name: volume(i) for name, i in files.items()} | masks)
    out, _ = run("nifti", source, **options)
    found = [sample.patient for sample in samples(out).values()]
    assert found[::D] == patients


def test_classes_of_volumes_without_masks(make: Make) -> None:
    source = make({f"{label}/{i}.nii.gz": volume(i) for i, label in enumerate(("AD", "CN"))})
    out, _ = run("nifti", source, label="folder", patient="file", slices="every:2")
    assert TableSource(out).task.classes == ("AD", "CN")
    with pytest.raises(DataError, match=r"found 2 files, but no masks"):
        run("nifti", source, out="no")


def test_other_orientations_are_noted(make: Make) -> None:
    """Masks are often stored without the orientation of their image."""
    source = make({"images/0.nii": volume(0), "labels/0.nii": regions_of_volume(0)})
    assert len(run("nifti", source)[1].notes) == 1
    save(source / "images/0.nii", volume(0), (-0.5, 0.75, 3.0))
    notes = run("nifti", source, out="other")[1].notes
    assert notes[1] == (
        "the headers of 1 volumes and their masks or channels state different orientations: images/0.nii"
    )
    assert next(iter(samples(source.parent / "other").values())).spacing == (0.75, 0.5)


def test_a_damaged_volume_is_named(source: Path) -> None:
    bad = source / "data/BraTS20_Training_002/BraTS20_Training_002_seg.nii"
    bad.write_bytes(bad.read_bytes()[:400])
    with pytest.raises(DataError, match=r"BraTS20_Training_002_seg.nii: cannot be decoded"):
        run("nifti", source, channels=("t1", "t1ce"))


def dicom(path: Path, array: NDArray[np.generic] | None, patient: str, series: str, z: float, number: int) -> None:
    """Write a file of one or more frames, as a scanner would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    header.PatientID, header.SeriesInstanceUID, header.Modality = patient, series, "MR" if array is not None else "SR"
    header.InstanceNumber = number
    if array is not None:
        header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, z], [1, 0, 0, 0, 1, 0]
        header.PixelSpacing = [0.75, 0.5]
        header.Rows, header.Columns = array.shape[-2:]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit, header.PixelRepresentation = 15, 0
        if array.ndim == 3:
            header.NumberOfFrames = len(array)
        header.PixelData = array.astype("<u2").tobytes()
    header.save_as(path, enforce_file_format=True)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two series whose names are not in the order of their positions; masks as PNG."""
    home = tmp_path / "source"
    for i in range(4):
        name = f"P{i // 2}/IM{i}" if i < 2 else f"P{i // 2}/IM{i}.dcm"
        dicom(home / "images" / name, pixels(i, 3000, np.uint16), f"anon {i // 2}", f"1.2.{i // 2}", -float(i), i)
        save(home / "masks" / f"P{i // 2}/IM{i}.png", (regions(i) if i else regions(0) * 0))
    (home / "images/README").write_text("not a scan")
    return home


def test_series(scans: Path) -> None:
    out, done = run("dicom", scans, structures=("core", "rim"))
    read = samples(out)
    assert [*read] == ["images/P0/IM1", "images/P0/IM0", "images/P1/IM3.dcm", "images/P1/IM2.dcm"]
    for i in range(4):
        sample = read[f"images/P{i // 2}/IM{i}" + (".dcm" if i > 1 else "")]
        assert np.array_equal(sample.image[0], pixels(i, 3000, np.uint16))
        assert np.array_equal(sample.mask[1], (regions(i) == 2) & (i > 0))
        assert (sample.patient, sample.volume, sample.spacing) == (f"anon {i // 2}", f"1.2.{i // 2}", (0.75, 0.5))
    assert done.notes[0].startswith("2 patients are taken from the tag PatientID")
    assert done.notes[-1] == "1 files are no DICOM files and are left out: images/README"
    assert len(samples(run("dicom", scans, structures=("core", "rim"), slices="mask", out="some")[0])) == 3
    assert len(samples(run("dicom", scans, structures=("core", "rim"), slices="every:2", out="few")[0])) == 2


def test_frames_are_slices(tmp_path: Path) -> None:
    stack = np.stack([pixels(i, 999, np.uint16) for i in range(3)])
    for k, label in enumerate(("yes", "no")):
        dicom(tmp_path / f"source/{label}/{k}.dcm", stack + k, f"P{k}", f"1.{k}", 0, 1)
    out, _ = run("dicom", tmp_path / "source", label="folder")
    read = samples(out)
    for z in range(3):
        assert np.array_equal(read[f"no/1.dcm slice {z}"].image[0], stack[z] + 1)
    assert TableSource(out).task.classes == ("no", "yes")


def test_files_without_pixels_are_refused(scans: Path) -> None:
    dicom(scans / "images/report.dcm", None, "x", "1.9", 0, 1)
    (scans / "images/broken.dcm").write_bytes(b"nothing")
    cut = (scans / "images/P1/IM2.dcm").read_bytes()
    (scans / "images/P1/IM2.dcm").write_bytes(cut[:160])
    with pytest.raises(DataError) as caught:
        run("dicom", scans)
    for text in (
        "report.dcm: the DICOM file has no pixels (modality SR)",
        "broken.dcm: is no DICOM file",
        "P1/IM2.dcm: ",
    ):
        assert text in str(caught.value)


def test_a_blank_patient_needs_a_rule(scans: Path) -> None:
    path = scans / "images/P0/IM1"
    header = pydicom.dcmread(path)
    header.PatientID = ""
    header.save_as(path)
    with pytest.raises(DataError, match=r"1 of 4 files have a blank PatientID: images/P0/IM1\n.*--patient folder"):
        run("dicom", scans)
    out, _ = run("dicom", scans, patient="folder")
    assert {sample.patient for sample in samples(out).values()} == {"P0", "P1"}
