"""One entry of the cache: images, masks and metadata, verified when it is opened; pixels, when they are read."""

import base64
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.data.checked_array import CheckedArray, Rebuild, block_digests
from btlib.data.dataset import Cohort, Dataset
from btlib.data.patients import Patients, identify
from btlib.types import Origin, Scaling

_DTYPES = {"images": np.dtype(np.float32), "masks": np.dtype(np.bool_)}
_IDENTITY = np.dtype([("image", ">u8"), ("mask", ">u8"), ("signature", ">u8"), ("area256", ">u4")])


class DamagedEntry(Exception):  # noqa: N818 - never leaves the cache: the entry is made anew
    """The entry is incomplete or has changed since it was written."""


class Row(NamedTuple):
    """What the cache stores of a slice besides its pixels.

    Attributes:
        number: File number.
        label: 0, 1 or 2.
        code: Patient code in the file, None where there is none.
        area: Tumour pixels before resizing.
        origin: "figshare" or "phantom".
        identity: Packed by `pack`: 100 000 rows of whole numbers would take 40 MB.
    """

    number: int
    label: int
    code: str | None
    area: int
    origin: Origin
    identity: bytes


def pack(image: int, mask: int, signature: int, area256: int) -> bytes:
    """What a slice is recognised by.

    Args:
        image: Digest of the image before resizing.
        mask: Digest of the mask at the entry's size.
        signature: Of the mask (`btlib.data.recognise`).
        area256: Tumour pixels at 256×256.
    """
    return np.array((image, mask, signature, area256), _IDENTITY).tobytes()


def create(place: Path, n: int, image_size: int) -> None:
    """Files for the images and masks of n slices, to be filled by `store`."""
    shape = (n, image_size, image_size)
    for name, dtype in _DTYPES.items():
        with (place / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            )
            file.truncate(file.tell() + n * image_size**2 * dtype.itemsize)


def store(place: Path, i: int, n: int, image: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Put slice i of n in its place; several processes may do so at once, each for slices of its own.

    Written, not memory-mapped: mapped pages would count as this process's memory, and a full disk would kill it.
    """
    for name, row in (("images", image), ("masks", mask)):
        with (place / f"{name}.npy").open("r+b") as file:
            file.seek((i - n) * row.nbytes, os.SEEK_END)
            file.write(row.data)


def finish(place: Path, rows: list[Row], image_size: int, scaling: Scaling, content: str) -> None:
    """See the arrays to the disk and write the metadata, which makes the entry complete."""
    for name in _DTYPES:
        with (place / f"{name}.npy").open("r+b") as file:
            os.fsync(file.fileno())
    body = {
        "content": content,
        "image_size": image_size,
        "scaling": scaling,
        "rows": [row[:-1] for row in rows],
        "identities": base64.b64encode(b"".join(row.identity for row in rows)).decode(),
        "blocks": {name: block_digests(place / f"{name}.npy") for name in _DTYPES},
    }
    files.write_text(place / "meta.json", json.dumps(files.sealed(body)))


def open_entry(place: Path, image_size: int, scaling: Scaling, folder: Path, content: str, rebuild: Rebuild) -> Dataset:
    """The dataset of an entry, its arrays memory-mapped; a block of pixels is verified when it is first read.

    Args:
        place: Folder of the entry.
        image_size: Side of the images in pixels.
        scaling: Of their intensities.
        folder: Where the slices' files lie.
        content: Fingerprint of them.
        rebuild: Stores slices anew whose pixels turn out to be damaged.

    Raises:
        DamagedEntry: A file is missing or cut short, or the metadata are damaged or of other slices.
        DataError: Patient codes contradict what is known of the slices.
    """
    body = _read_meta(place / "meta.json")
    if body["content"] != content:
        raise DamagedEntry("meta.json is of other slices")
    if (body.get("image_size"), body.get("scaling", scaling)) != (image_size, scaling):  # older ones tell no scaling
        raise DamagedEntry(f"meta.json is of {body.get('image_size')} px and {body.get('scaling')} scaling")
    try:
        number, label, codes, area, origins = zip(*body["rows"], strict=True)
        identities = np.frombuffer(base64.b64decode(body["identities"]), _IDENTITY)
        numbers, labels, areas = (np.array(values, np.int64) for values in (number, label, area))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedEntry(f"meta.json: its rows are none ({error})") from error
    shape = (len(number), image_size, image_size)
    patients = _patients(codes, origins[0], numbers, identities, folder)
    return Dataset(
        images=_open_array(place, "images", shape, body["blocks"], rebuild),
        masks=_open_array(place, "masks", shape, body["blocks"], rebuild),
        labels=labels,
        numbers=numbers,
        patients=patients.ids,
        original_areas=areas,
        origin=origins[0],
        scaling=scaling,
        image_size=image_size,
        folder=folder,
        patient_source=patients.source,
        cohort=Cohort(patients.ids, labels, patients.folds),
        image_digests=identities["image"].astype(np.uint64),
        mask_digests=identities["mask"].astype(np.uint64),
    )


def _patients(
    codes: tuple[str | None, ...], origin: Origin, numbers: NDArray[np.int64], identities: NDArray[Any], folder: Path
) -> Patients:
    """Phantoms are nobody's copy; of real slices the patients may be known."""
    if origin == "phantom":
        return Patients(codes, "files" if any(codes) else None)
    signatures, areas = identities["signature"].astype(np.uint64), identities["area256"].astype(np.int64)
    return identify(numbers, codes, signatures, areas, folder)


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        return files.read_sealed(path)
    except (OSError, files.DamagedFileError) as error:
        raise DamagedEntry(f"meta.json cannot be read: {error}") from error


def _open_array(
    place: Path, name: str, shape: tuple[int, ...], blocks: dict[str, list[str]], rebuild: Rebuild
) -> NDArray[Any]:
    path, dtype = place / f"{name}.npy", _DTYPES[name]
    try:
        array = CheckedArray(path, blocks[name], rebuild)
        if array.dtype != dtype or array.shape != shape or not array.is_plain:
            raise DamagedEntry(f"{path.name}: expected {dtype} {shape}, got {array.dtype} {array.shape}")
    except (DamagedEntry, MemoryError):
        raise
    except Exception as error:  # a damaged header makes NumPy raise almost anything
        raise DamagedEntry(f"{path.name} cannot be read: {error}") from error
    return cast("NDArray[Any]", array)
