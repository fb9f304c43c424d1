"""Reading of DICOM and NIfTI files. The size is checked in the header; only the requested slice is decoded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.data.sources.table.pixel_size import Spacing, dicom_pixel_size, nifti_pixel_size
from btlib.data.sources.table.planes import as_plain, checked_slice, require_size
from btlib.data.sources.table.volume_cache import stored_slice
from btlib.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset as Header


def read_dicom(
    path: Path, number: int | None, axis: int | None, *, stored: bool = False
) -> tuple[NDArray[Any], Spacing | None]:
    """Read an image as [channels, h, w], in the units of the modality, and its spacing.

    Slope and intercept are applied. In a MONOCHROME1 image the lowest value is white. It is inverted within the range
    of its stored bits, before slope and intercept, so that bright always means a high value.

    Args:
        path: The file.
        number: Number of the frame, from 0; None for a file with one frame.
        axis: None or 0, the axis of the frames.
        stored: Whether to return the stored values of the first channel as they are, as for masks.

    Raises:
        DataError: The file is damaged, too large, or has no pixels.
        MissingExtraError: pydicom is not installed.
    """
    with extras.named(path):
        import pydicom
        from pydicom.pixels.processing import apply_modality_lut
        from pydicom.pixels.utils import pixel_array
    try:
        header = pydicom.dcmread(path)
        if "Rows" not in header or "Columns" not in header or "PixelData" not in header:
            raise DataError("the DICOM file has no pixels")
        frames = int(header.get("NumberOfFrames") or 1)
        if number is None and frames > 1:
            raise DataError(f"the file has {frames} frames", hint="add a column slice to metadata.csv")
        if number is not None:
            checked_slice(number, axis or 0, (frames,))
        require_size(int(header.Rows), int(header.Columns))
        values = pixel_array(header, index=number or 0)
        spacing = dicom_pixel_size(header, number or 0)
        if values.ndim == 3:
            return np.ascontiguousarray(np.moveaxis(values, -1, 0)), spacing
        kind = header.get("PhotometricInterpretation", "")
        if stored:
            return as_plain(values)[None], spacing
        if kind not in ("MONOCHROME1", "MONOCHROME2"):
            raise DataError(f"expected MONOCHROME1, MONOCHROME2 or RGB, got {kind}", hint="convert the image")
        values = _inverted(values, header) if kind == "MONOCHROME1" else values
        return as_plain(np.asarray(apply_modality_lut(values, header)))[None], spacing
    except DataError:
        raise
    except Exception as error:  # damaged files make decoders raise almost anything
        raise DataError(f"cannot be decoded: {error}") from error


def _inverted(values: NDArray[Any], header: "Header") -> NDArray[Any]:
    """Mirror the values within the range of the stored bits."""
    total = -1 if int(header.PixelRepresentation) else 2 ** int(header.BitsStored) - 1
    return np.asarray(total - values.astype(np.int64)).astype(values.dtype)


def read_nifti(path: Path, number: int | None, axis: int | None) -> tuple[NDArray[Any], Spacing | None]:
    """Read a slice as [channels, h, w], with the file's scaling applied, and its spacing.

    Axes 0, 1 and 2 are x, y and z of the file.

    Rows are the later of the two remaining axes: a slice along z has y downwards and x to the right. A fourth axis is
    the channels.

    Args:
        path: The file, also compressed.
        number: Number of the slice, from 0; None for a file with one slice along `axis`.
        axis: Axis along which slices are numbered; None is axis 2.

    Raises:
        DataError: The file is damaged or too large, or the slice does not exist.
        MissingExtraError: nibabel is not installed.
    """
    with extras.named(path):
        import nibabel
    try:
        image: Any = nibabel.load(path)
        shape, at = tuple(map(int, image.shape)), 2 if axis is None else axis
        if not 2 <= len(shape) <= 4:
            raise DataError(f"expected two to four axes, got the shape {shape}")
        spatial = (*shape, 1)[:3]
        if number is None and at < 3 and spatial[at] > 1:
            raise DataError(
                f"the file has {spatial[at]} slices along axis {at}", hint="add a column slice to metadata.csv"
            )
        checked_slice(number or 0, at, spatial)
        require_size(*(side for k, side in enumerate(spatial) if k != at), *shape[3:])
        key = tuple(number or 0 if k == at else slice(None) for k in range(len(shape)))
        values = stored_slice(path, image, key)
    except DataError:
        raise
    except Exception as error:  # damaged files make decoders raise almost anything
        raise DataError(f"cannot be decoded: {error}") from error
    planes = values[None] if len(shape) < 4 else np.moveaxis(values, -1, 0)
    return np.ascontiguousarray(as_plain(planes.swapaxes(1, 2))), nifti_pixel_size(image.header, axis)
