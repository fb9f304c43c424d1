"""Size of a pixel in mm, as the headers of DICOM and NIfTI files state it.

An image can be used without this size, so a header that states it in an invalid way states nothing.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset as Header

_UNITS = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
"""Unit of a NIfTI file → mm. Most programs leave the unit out and mean mm."""

Spacing = tuple[float, float]


def dicom_pixel_size(header: "Header", frame: int) -> Spacing | None:
    """Return height and width of a pixel of a DICOM image in mm; None if the header does not state them.

    The attribute is Pixel Spacing, the distance in the patient. In enhanced files it is stated for all frames or for
    each frame. Imager Pixel Spacing, the distance on a detector, is not used.

    Args:
        header: Header of the file.
        frame: Number of the frame, from 0.
    """
    try:
        stated = next((found for group in _groups(header, frame) if (found := group.get("PixelSpacing"))), None)
        return None if stated is None else _checked(*map(float, stated))
    except Exception:  # invalid headers make parsers raise almost anything
        return None


def _groups(header: "Header", frame: int) -> list["Header"]:
    """Return the parts of a header that may state the size: of the frame, of all frames, of a plain file."""
    frames = header.get("PerFrameFunctionalGroupsSequence") or []
    groups = [*frames[frame : frame + 1], *(header.get("SharedFunctionalGroupsSequence") or [])[:1]]
    return [*(one for group in groups for one in (group.get("PixelMeasuresSequence") or [])[:1]), header]


def nifti_pixel_size(header: Any, axis: int | None) -> Spacing | None:
    """Return height and width in mm of a pixel of a slice across an axis; None if the header does not state them.

    As in `read_nifti`, rows are the later of the two remaining axes.

    Args:
        header: Header of the file, of nibabel.
        axis: Axis along which slices are numbered, 0…2; None is axis 2.
    """
    try:
        sizes = [float(size) for size in header.get_zooms()]
        unit = header.get_xyzt_units()[0] if hasattr(header, "get_xyzt_units") else "mm"
        if unit == "unknown" and _states_nothing(header, sizes):
            return None
        rows, columns = [k for k in (2, 1, 0) if k != (2 if axis is None else axis)]
        if len(sizes) <= rows:
            return None
        return _checked(sizes[rows] * _UNITS[unit], sizes[columns] * _UNITS[unit])
    except Exception:  # invalid headers make parsers raise almost anything
        return None


def _states_nothing(header: Any, sizes: list[float]) -> bool:
    """Whether a header has the defaults of a file whose writer knew no sizes: no place in space, and pixels of 1."""
    return not int(header["qform_code"]) and not int(header["sform_code"]) and set(sizes[:3]) == {1.0}


def _checked(y: float, x: float) -> Spacing | None:
    """Return the size if both lengths are above 0."""
    return (y, x) if 0 < y < math.inf and 0 < x < math.inf else None
