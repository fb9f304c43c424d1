"""Data sets as users have them, in the layouts of the field: volumes and series of synthetic heads, and PNG copies."""

import json
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from btlib.data import list_slices, read_slice
from btlib.data.sources.figshare.slice_file import Slice
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.task import Task

PEOPLE, DEPTH, SIZE = 20, 6, 96
SPACING = (0.8, 1.2, 4.0)  # x, y, z in mm: no two are equal

Volume = tuple[str, NDArray[np.int16], NDArray[np.bool_]]


def volumes(structures: int = 1, channels: int = 1) -> Iterator[Volume]:
    """Name, image [channels, h, w, d] and masks [structures, h, w, d] of each person."""
    names = tuple(f"s{k}" for k in range(structures))
    task = Task(name="v", structures=names, channels=tuple(f"c{k}" for k in range(channels)), synthetic=True)
    source = PhantomSource(task, PEOPLE * DEPTH, size=SIZE, each=DEPTH)
    read = [source.read(info) for info in source.samples()]
    for person in range(PEOPLE):
        slices = read[person * DEPTH : (person + 1) * DEPTH]
        image, mask = (np.stack([np.asarray(getattr(s, name)) for s in slices], -1) for name in ("image", "mask"))
        mask[..., 0] = False  # the tumour does not reach the first slice
        image = np.where(mask[:1], image, np.minimum(image, 2000))
        yield f"{person + 1:02d}", image[:, :-9].astype(np.int16), mask[:, :-9]  # h ≠ w


def write_nifti(out: Path) -> None:
    """`images/sub-01.nii.gz` and `masks/sub-01.nii.gz`, arrays [x, y, z]."""
    for name, image, mask in volumes():
        _save(out / "images" / f"sub-{name}.nii.gz", image[0])
        _save(out / "masks" / f"sub-{name}.nii.gz", mask[0].astype(np.uint8))


def write_nnunet(out: Path) -> None:
    """Raw data of nnU-Net with two channels and two structures that exclude each other."""
    for name, image, mask in volumes(structures=2, channels=2):
        for k in range(2):
            _save(out / "imagesTr" / f"case_{name}_{k:04d}.nii.gz", image[k])
        _save(out / "labelsTr" / f"case_{name}.nii.gz", mask.sum(axis=0).astype(np.uint8))
    about = {
        "channel_names": {"0": "T1", "1": "FLAIR"},
        "labels": {"background": 0, "rim": 1, "core": 2},
        "numTraining": PEOPLE,
        "file_ending": ".nii.gz",
    }
    (out / "dataset.json").write_text(json.dumps(about), encoding="utf-8")


def write_dicom(out: Path) -> None:
    """A series of each person, `images/P01/IM1.dcm` …, with masks in PNG of the same names."""
    for name, image, mask in volumes():
        series = generate_uid()
        for z in range(image.shape[-1]):
            file = out / "images" / f"P{name}" / f"IM{z + 1}.dcm"
            file.parent.mkdir(parents=True, exist_ok=True)
            _dicom(image[0, ..., z], f"P{name}", series, z).save_as(file, enforce_file_format=True)
            place = out / "masks" / f"P{name}" / f"IM{z + 1}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask[0, ..., z].astype(np.uint8) * 255).save(place)


def some_slices(folder: Path, every: int) -> Iterator[Slice]:
    """Every n-th slice of the Figshare data set, in the order of the numbers."""
    return map(read_slice, list_slices(folder)[::every])


def write_figshare_copy(folder: Path, out: Path, every: int) -> None:
    """Every n-th slice of the Figshare data set as PNG, without classes and persons, as copies of it are."""
    (out / "images").mkdir(parents=True)
    (out / "masks").mkdir()
    for found in some_slices(folder, every):
        image = np.asarray(found.image, float)
        scaled = np.round((image - image.min()) * (255 / np.ptp(image))).astype(np.uint8)
        Image.fromarray(scaled).save(out / "images" / f"{found.number}.png")
        Image.fromarray(np.asarray(found.mask, np.uint8) * 255).save(out / "masks" / f"{found.number}.png")


def _save(path: Path, rows: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.swapaxes(rows, 0, 1), np.diag([*SPACING, 1.0])), path)


def _dicom(pixels: NDArray[np.int16], patient: str, series: str, z: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"  # MR image
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    found.PatientID, found.SeriesInstanceUID, found.Modality, found.InstanceNumber = patient, series, "MR", z + 1
    found.ImagePositionPatient, found.ImageOrientationPatient = [0, 0, SPACING[2] * z], [1, 0, 0, 0, 1, 0]
    found.PixelSpacing, found.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]  # rows first
    found.Rows, found.Columns = pixels.shape
    found.SamplesPerPixel, found.PhotometricInterpretation, found.PixelRepresentation = 1, "MONOCHROME2", 1
    found.BitsAllocated, found.BitsStored, found.HighBit = 16, 16, 15
    found.RescaleSlope, found.RescaleIntercept = 1, -1000
    found.PixelData = pixels.tobytes()
    return found
