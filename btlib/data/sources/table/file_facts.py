"""Facts about an image file that its decoded pixels do not show. Only the header is read."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from btlib.data.sources.table.image_files import kind_of

_BITS = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}
_PNG_DEPTH = 24  # position of the bits of a sample in the header of a PNG file


def read_facts(path: Path) -> Mapping[str, str]:
    """Return the file format, the bit depth and the colour mode of an image; those that are unknown are left out.

    A file that cannot be read has no facts here: `read_image` reports its fault.
    """
    readers = {"raster": _of_raster, "array": _of_array, "dicom": _of_dicom, "nifti": _of_nifti}
    kind = kind_of(path.name)
    if kind is None:
        return {}
    try:
        return readers[kind](path)
    except Exception:  # damaged files make decoders raise almost anything; reading the pixels names the fault
        return {}


def _of_raster(path: Path) -> Mapping[str, str]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            bits: Any = _BITS.get(image.mode, 8)
            if image.format == "PNG":
                with path.open("rb") as file:
                    bits = file.read(_PNG_DEPTH + 1)[_PNG_DEPTH]
            elif image.format == "TIFF":
                bits = max(getattr(image, "tag_v2", {}).get(258, (bits,)))
            mode = "grey" if image.mode in ("1", "L", *_BITS) else image.mode
            return {"file format": str(image.format), "bit depth": str(bits), "colour mode": mode}


def _of_array(path: Path) -> Mapping[str, str]:
    stored = np.lib.format.open_memmap(path, mode="r")
    return {"file format": "NPY", "bit depth": str(stored.dtype)}


def _of_dicom(path: Path) -> Mapping[str, str]:
    import pydicom

    header = pydicom.dcmread(path, stop_before_pixels=True)
    return {
        "file format": "DICOM",
        "bit depth": str(header.get("BitsStored", "")),
        "colour mode": str(header.get("PhotometricInterpretation", "")),
    }


def _of_nifti(path: Path) -> Mapping[str, str]:
    import nibabel

    header: Any = nibabel.load(path).header
    return {"file format": "NIfTI", "bit depth": str(header.get_data_dtype())}
