"""Facts in the headers of DICOM files, read without the pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from btlib import extras
from btlib.data.faults import joined
from btlib.data.workers import map_files
from btlib.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset as Header

_HINT = "move files without pixels (reports, structure sets) out of the folder, and repair damaged ones"
_FIELDS = (
    *("PatientID", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"),
    *("NumberOfFrames", "Rows", "Columns", "Modality", "PixelData"),
)


@dataclass(frozen=True)
class DicomFacts:
    """Facts of a file.

    Attributes:
        patient: Value of the tag PatientID, "" if it is blank.
        series: Value of the tag SeriesInstanceUID, "" if it is blank.
        position: Position along the normal of the slice in mm; NaN if unknown.
        number: Value of the tag InstanceNumber; 0 if unknown.
        frames: Number of frames.
    """

    patient: str
    series: str
    position: float
    number: int
    frames: int


def read_headers(names: Sequence[str], folder: Path) -> dict[str, DicomFacts]:
    """Read the headers of files; those without suffix that are no DICOM files are left out.

    Raises:
        DataError: Files are damaged, or have no pixels. One error names all of them.
        MissingExtraError: pydicom is not installed.
    """
    with extras.named("reading of DICOM files"):
        import pydicom  # noqa: F401
    found = map_files(partial(_look, folder), names, len(names), "Reading headers", False)
    facts = dict(zip(names, found, strict=True))
    if faults := [fact for fact in facts.values() if isinstance(fact, DataError)]:
        raise joined(faults, folder, _HINT, what="faults")
    return {name: fact for name, fact in facts.items() if isinstance(fact, DicomFacts)}


def _look(folder: Path, name: str) -> DicomFacts | None:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(folder / name, defer_size=1024, specific_tags=list(_FIELDS))
        missing = [field for field in ("Rows", "Columns", "PixelData") if field not in header]
        if missing:
            kind = header.get("Modality") or "unknown"
            raise DataError(f"{name}: the DICOM file has no pixels (modality {kind})", where=folder, hint=_HINT)
        return DicomFacts(
            patient=str(header.get("PatientID") or "").strip(),
            series=str(header.get("SeriesInstanceUID") or "").strip(),
            position=_position(header),
            number=int(header.get("InstanceNumber") or 0),
            frames=int(header.get("NumberOfFrames") or 1),
        )
    except DataError:
        raise
    except InvalidDicomError as error:
        if not PurePosixPath(name).suffix:
            return None  # such as README
        raise DataError(f"{name}: is no DICOM file", where=folder, hint=_HINT) from error
    except Exception as error:  # damaged files make pydicom raise almost anything
        raise DataError(f"{name}: cannot be read: {error}", where=folder, hint=_HINT) from error


def _position(header: "Header") -> float:
    """Distance of the slice from the origin along its normal, in mm; NaN without position and orientation."""
    position, sides = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if position is None or sides is None or len(position) != 3 or len(sides) != 6:
        return math.nan
    row, column = np.array(sides[:3], float), np.array(sides[3:], float)
    return float(np.dot(np.cross(row, column), np.array(position, float)))
