"""Reading of images and masks by the type of their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.data.sources.table.array_files import read_array
from btlib.data.sources.table.medical_files import read_dicom, read_nifti
from btlib.data.sources.table.pixel_size import Spacing
from btlib.data.sources.table.planes import as_grey
from btlib.data.sources.table.raster_files import read_raster
from btlib.errors import DataError

Kind = Literal["raster", "array", "dicom", "nifti"]

SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"), "raster"),
    ".npy": "array",
    **dict.fromkeys((".dcm", ".dicom", ".ima", ""), "dicom"),
    **dict.fromkeys((".nii", ".nii.gz"), "nifti"),
}
"""Suffix of a file → the type of its content. Files without a suffix are taken for DICOM."""

_WHITE = {1, 255, 2**16 - 1}  # another value would be the number of a structure that task.toml does not name


def kind_of(name: str) -> Kind | None:
    """Return the type of a file by its suffix; None if btlib does not read this type."""
    path = PurePosixPath(name)
    suffix = "".join(path.suffixes[-2:]).lower()
    return SUFFIXES.get(suffix if suffix == ".nii.gz" else path.suffix.lower())


def require_packages(kinds: set[Kind]) -> None:
    """Check that the packages are installed that read these types of files.

    Raises:
        MissingExtraError: A package is missing; the message names the extra that installs it.
    """
    with extras.named("reading of DICOM files"):
        if "dicom" in kinds:
            import pydicom  # noqa: F401
    with extras.named("reading of NIfTI files"):
        if "nifti" in kinds:
            import nibabel  # noqa: F401


def read_image(path: Path, number: int | None, axis: int | None) -> NDArray[Any]:
    """Read an image as [channels, h, w] in the depth of the file; see `read_with_spacing`."""
    return read_with_spacing(path, number, axis)[0]


def read_with_spacing(path: Path, number: int | None, axis: int | None) -> tuple[NDArray[Any], Spacing | None]:
    """Read an image as [channels, h, w] in the depth of the file, and the size of its pixels in mm, height and width.

    Only DICOM and NIfTI files state this size.

    Args:
        path: The file.
        number: Number of the slice, frame or page, from 0; None for a file with one image.
        axis: Axis along which slices are numbered; None uses the default of the file type.

    Raises:
        DataError: The file is missing, damaged, too large or of another kind. Errors name neither file nor row.
        MissingExtraError: A package is not installed.
    """
    match kind_of(path.name):
        case "raster":
            return read_raster(path, number, axis), None
        case "array":
            return read_array(path, number, axis), None
        case "dicom":
            return read_dicom(path, number, axis)
        case "nifti":
            return read_nifti(path, number, axis)
    raise DataError(f"unknown type of file {path.suffix!r}")


def read_mask(path: Path, number: int | None, axis: int | None) -> NDArray[np.integer]:
    """Read the numbers of a mask [h, w]. A mask of a raster type or one plane belongs to one slice.

    Raises:
        DataError: As `read_image`; or the mask has colours, or values that are not whole numbers.
        MissingExtraError: A package is not installed.
    """
    kind = kind_of(path.name)
    if kind == "raster":
        planes = read_raster(path, _page(path, number), axis, palette=True)
    elif kind == "dicom":
        planes, _ = read_dicom(path, number, axis, stored=True)
    else:
        planes = read_image(path, number, axis)
    plane = as_grey(planes)
    if plane is None:
        raise DataError(f"the mask has {len(planes)} different channels, expected one")
    if plane.dtype.kind in "iu":
        return plane
    with np.errstate(invalid="ignore"):
        whole = plane.astype(np.int64)
    if not np.array_equal(whole, plane):
        raise DataError("the mask has values that are not whole numbers")
    return whole


def _page(path: Path, number: int | None) -> int | None:
    """Number of the page of a mask; a mask file that is no TIFF contains one slice only."""
    return number if path.suffix.lower() in (".tif", ".tiff") else None


def values_of(mask: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the sorted different values of a mask; counting is 20 times as fast as sorting."""
    if mask.dtype in (np.uint8, np.uint16):
        return np.flatnonzero(np.bincount(mask.reshape(-1)))
    return np.unique(mask)


def structures_in(
    mask: NDArray[np.integer], structures: Sequence[str], known: Mapping[str, Sequence[int]] | None = None
) -> NDArray[np.bool_]:
    """Return the mask of each structure, bool [k, h, w], from the numbers of a mask [h, w].

    A mask of one structure has the values 0 and 1, 255 or 65535. A mask of several structures has the values 0…k.

    Args:
        mask: Numbers [h, w].
        structures: Names of the structures.
        known: Values of each structure and of the background, if they are not as above (`TaskFile.values`).

    Raises:
        DataError: The mask has other values.
    """
    values = values_of(mask)
    if known:
        return _by_value(mask, values, structures, known)
    others = values[values != 0]
    k = len(structures)
    if k == 1 and len(others) <= 1 and set(others.tolist()) <= _WHITE:
        return np.asarray(mask[None] != 0)
    if k > 1 and len(others) and (others[0] < 1 or others[-1] > k):
        found = _few(values)
        raise DataError(
            f"the mask has the values {found}, expected 0…{k} for {k} structures",
            hint=f"store 0 for background and 1…{k} for {', '.join(structures)}",
        )
    if k > 1:
        return np.stack([mask == i + 1 for i in range(k)])
    found = _few(values)
    raise DataError(
        f"the mask has the values {found}, expected 0 and one of 1, 255 and 65535",
        hint="for several structures, name them in task.toml; a JPEG file cannot store a mask exactly, use PNG",
    )


def _by_value(
    mask: NDArray[np.integer],
    values: NDArray[np.integer],
    structures: Sequence[str],
    known: Mapping[str, Sequence[int]],
) -> NDArray[np.bool_]:
    expected = sorted({value for of_one in known.values() for value in of_one})
    if set(values.tolist()) - set(expected):
        raise DataError(
            f"the mask has the values {_few(values)}, expected {', '.join(map(str, expected))}",
            hint="name all values in mask_values of task.toml",
        )
    return np.stack([np.isin(mask, known[name]) for name in structures])


def _few(values: NDArray[np.integer]) -> str:
    return ", ".join(map(str, values[:6])) + (" …" if len(values) > 6 else "")
