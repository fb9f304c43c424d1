"""One slice file of Figshare article 1512427 (doi 10.6084/m9.figshare.1512427): MATLAB v7.3, which is HDF5.

Group `cjdata` contains `image`, `tumorMask`, `label` (1…3), `PID` (character codes) and `tumorBorder`. Arrays have the
axis order of h5py, which is transposed compared with MATLAB, as in the thesis.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint, hdf5
from btlib.data.digest import image_digest, mask_digest
from btlib.data.sample import Sample
from btlib.data.sources.figshare.folder import list_slices, slice_number
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import DataError
from btlib.files import DamagedFileError, atomic_path

__all__ = ["Origin", "Slice", "list_slices", "read_slice", "write_slice"]

Origin = Literal["figshare", "phantom"]
"""Origin that a file states: the name of its task. Phantoms are marked, so that they never pass for real slices."""

LARGEST = 2**30
"""Maximum size in bytes of a field and of a slice file."""

_BRIGHTEST = float(np.finfo(np.float32).max) / 2  # so that the difference of any two intensities fits into float32
_ORIGIN = "btlib_origin"  # attribute on `cjdata`; the real files have none
_DIGEST = "btlib_digest"  # attribute of phantoms
_USERBLOCK = 512  # MATLAB writes its own header before that of HDF5
_MATLAB_HEADER = b"MATLAB 7.3 MAT-file, Platform: btlib".ljust(116) + bytes(8) + b"\x00\x02" + b"IM"
_LONGEST_PATIENT = 1000
_AGAIN = "download this file again (`btlib data download`)"


@dataclass(frozen=True, eq=False)
class Slice:
    """One T1-weighted slice as stored in its file.

    Attributes:
        number: File number, 1-based (`7.mat` is 7).
        image: Intensities [h, w] in the file's own numeric dtype (int16 in the data set).
        mask: Tumour mask, bool [h, w].
        label: Class: 0 meningioma, 1 glioma, 2 pituitary.
        patient: Patient id as text, None if the file has none.
        origin: "figshare" or "phantom".
    """

    number: int
    image: NDArray[np.generic]
    mask: NDArray[np.bool_]
    label: int
    patient: str | None
    origin: Origin

    @property
    def sample(self) -> Sample:
        """Slice as a sample of its task."""
        return Sample(str(self.number), self.image[None], self.mask[None], self.label, self.patient)


def read_slice(path: Path | str) -> Slice:
    """Read and check one slice.

    Args:
        path: Path of a numbered file such as `data_figshare/data/7.mat`.

    Returns:
        The slice as stored in the file, without resizing or scaling; labels are counted from 0.

    Raises:
        DataError: The file is missing, damaged or not a slice, or a field is invalid.
    """
    path = Path(path)
    number = slice_number(path)
    try:
        with hdf5.reading(path) as file:
            group = hdf5.group(file, "cjdata")
            if group is None:
                found = ", ".join(file) or "nothing"
                raise DataError(f"expected a group 'cjdata', found {found}", where=path, hint=_AGAIN)
            image = _image(_field(group, "image", path), path)
            read = Slice(
                number=number,
                image=image,
                mask=_mask(_field(group, "tumorMask", path), image.shape, path),
                label=_label(_field(group, "label", path), path),
                patient=_patient(_field(group, "PID", path), path) if "PID" in group else None,
                origin=_origin(group, path),
            )
            _check_digest(group, read, path)
            return read
    except (OSError, DamagedFileError) as error:
        raise DataError(_why_not_read(path, error), where=path, hint=_AGAIN) from error


def write_slice(
    path: Path | str,
    image: NDArray[Any],
    mask: NDArray[Any],
    label: int,
    *,
    patient: str | None = None,
    origin: Origin = "figshare",
) -> None:
    """Write one slice in the layout of the data set, atomically.

    Args:
        path: Path to write to; `read_slice` needs a numbered name.
        image: Intensities [h, w]; their dtype is preserved.
        mask: Tumour mask [h, w], bool or 0/1.
        label: Class: 0 meningioma, 1 glioma, 2 pituitary; the file contains 1…3.
        patient: Patient id; None writes MATLAB's empty text.
        origin: Origin; "phantom" marks the file, so that it is never taken for a real slice.
    """
    units = np.frombuffer((patient or "").encode("utf-16-le", "surrogatepass"), "<u2")
    codes = units[:, None].astype(np.uint16) if patient else np.zeros((2, 1), np.uint16)
    fields: tuple[tuple[str, NDArray[Any], str], ...] = (
        ("image", image, str(image.dtype)),
        ("tumorMask", mask.astype(np.uint8), "logical"),
        ("label", np.array([[label + 1]], float), "double"),
        ("PID", codes, "char"),
        ("tumorBorder", np.zeros((1, 0)), "double"),
    )
    content = io.BytesIO()  # in memory first: HDF5 crashes on a full disk
    with h5py.File(content, "w", userblock_size=_USERBLOCK) as file:
        group = file.create_group("cjdata")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        if origin != "figshare":
            group.attrs[_ORIGIN] = origin
            group.attrs[_DIGEST] = _digest(image, mask.astype(bool), label, _text(codes), origin)
        for name, data, kind in fields:
            packed = {"compression": "gzip", "compression_opts": 1} if data.size > 64 else {}
            group.create_dataset(name, data=data, **packed).attrs["MATLAB_class"] = np.bytes_(kind)
    with atomic_path(Path(path)) as part:
        part.write_bytes(_MATLAB_HEADER + content.getvalue()[len(_MATLAB_HEADER) :])


def _why_not_read(path: Path, error: Exception) -> str:
    if path.is_dir():
        return "expected a slice file, found a folder"
    if isinstance(error, OSError) or not path.is_file():
        return str(error) if path.exists() else "expected a slice file, but it does not exist"
    if path.stat().st_size == 0:
        return "expected a MATLAB v7.3 (HDF5) file, but it is empty (0 bytes)"
    if "unable to lock" in str(error):
        return "another program is writing the file: HDF5 has locked it"
    if "truncated" in str(error):
        return f"the file is truncated: it has {path.stat().st_size} bytes, HDF5 reports: {error}"
    with path.open("rb") as raw:
        start = raw.read(10)
    if start == b"MATLAB 5.0":
        return "expected a MATLAB v7.3 (HDF5) file, got the older v5 format"
    return f"expected a MATLAB v7.3 (HDF5) file, but HDF5 cannot read it ({error})"


def _field(group: h5py.Group, name: str, path: Path) -> NDArray[Any]:
    try:
        field = hdf5.dataset(group, name)
        if field is None:
            raise DataError(
                f"field cjdata/{name}: expected a dataset, but it is missing; found {', '.join(group) or 'nothing'}",
                where=path,
                hint=_AGAIN,
            )
        if field.nbytes > LARGEST:
            raise _wrong(f"at most {LARGEST >> 20} MiB", f"{field.shape} of {field.dtype}", name, path)
        return hdf5.values(field)
    except (*hdf5.ERRORS, DamagedFileError) as error:
        raise DataError(
            f"field cjdata/{name}: damaged or of the wrong type ({error})", where=path, hint=_AGAIN
        ) from error


def _wrong(expected: str, came: str, field: str, path: Path) -> DataError:
    return DataError(f"field cjdata/{field}: expected {expected}, got {came}", where=path, hint=_AGAIN)


def _image(image: NDArray[Any], path: Path) -> NDArray[Any]:
    if image.ndim != 2 or min(image.shape) < 2:
        raise _wrong("two axes of at least 2 pixels", f"shape {image.shape}", "image", path)
    bad = np.count_nonzero(~np.isfinite(image)) if image.dtype.kind == "f" else 0
    if bad:
        raise _wrong("finite intensities", f"{bad} of {image.size} NaN or infinite", "image", path)
    if image.dtype.kind == "f" and np.abs(image).max() > _BRIGHTEST:
        raise _wrong(f"intensities of at most ±{_BRIGHTEST:.3g}", f"{np.abs(image).max():.3g}", "image", path)
    return image


def _mask(mask: NDArray[Any], shape: tuple[int, ...], path: Path) -> NDArray[np.bool_]:
    if mask.shape != shape:
        raise _wrong(f"the image's shape {shape}", f"shape {mask.shape}", "tumorMask", path)
    tumour: NDArray[np.bool_] = mask != 0
    if not np.array_equal(mask, tumour):
        strange = mask[tumour & (mask != 1)].ravel()[0]
        raise _wrong("values 0 and 1 only", f"{strange}", "tumorMask", path)
    if not tumour.any():
        raise _wrong("at least one tumour pixel", "an empty mask", "tumorMask", path)
    return tumour


def _label(label: NDArray[Any], path: Path) -> int:
    if label.size != 1:
        raise _wrong("one number", f"{label.size} numbers", "label", path)
    value = float(label.ravel()[0])
    if value not in range(1, len(FIGSHARE.classes) + 1):
        names = ", ".join(f"{k} {name}" for k, name in enumerate(FIGSHARE.classes, start=1))
        raise _wrong(names, f"{value:g}", "label", path)
    return int(value) - 1


def _patient(codes: NDArray[Any], path: Path) -> str | None:
    """Convert character codes to text; MATLAB writes an empty text as zeros."""
    if codes.dtype.kind not in "iu":
        raise _wrong("character codes (integers)", f"dtype {codes.dtype}", "PID", path)
    if codes.size > _LONGEST_PATIENT:
        raise _wrong(f"at most {_LONGEST_PATIENT} characters", f"{codes.size}", "PID", path)
    if codes.size and not (codes.min() >= 0 and codes.max() <= 0xFFFF):
        raise _wrong("character codes 0…65535", f"{codes.min()}…{codes.max()}", "PID", path)
    return _text(codes)


def _text(codes: NDArray[Any]) -> str | None:
    """Decode UTF-16 codes; lone surrogates, which UTF-8 cannot encode, become escapes (`\\udce9`)."""
    text = codes[codes != 0].astype("<u2").tobytes().decode("utf-16-le", "surrogatepass").strip()
    return text.encode("utf-8", "backslashreplace").decode("utf-8") or None


def _check_digest(group: h5py.Group, read: Slice, path: Path) -> None:
    """Check the digest of the content, which phantoms contain; the public files have none."""
    written = group.attrs.get(_DIGEST)
    if written not in (None, _digest(read.image, read.mask, read.label, read.patient, read.origin)):
        raise DataError(
            f"attribute {_DIGEST}: does not match the content: the file was edited or is damaged",
            where=path,
            hint="make the phantoms again",
        )


def _digest(image: NDArray[Any], mask: NDArray[np.bool_], label: int, patient: str | None, origin: Origin) -> str:
    return fingerprint.of(image_digest(image), mask_digest(mask), int(label), patient, origin)


def _origin(group: h5py.Group, path: Path) -> Origin:
    origin = group.attrs.get(_ORIGIN, "figshare")
    if origin == "figshare":
        return "figshare"
    if origin == "phantom":
        return "phantom"
    raise DataError(
        f"attribute {_ORIGIN}: expected 'phantom' or none, got {origin!r}", where=path, hint="make the phantoms again"
    )
