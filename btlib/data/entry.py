"""One entry of the cache: images, masks and metadata, with checks that are cheap enough for every start."""

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.dataset import Cohort, Dataset
from btlib.data.patients import Patients, identify
from btlib.files import write_text
from btlib.types import Origin, Scaling

_DTYPES = {"images": np.dtype(np.float32), "masks": np.dtype(np.bool_)}
_IDENTITY = np.dtype([("image", ">u8"), ("mask", ">u8"), ("signature", ">u8"), ("area256", ">u4")])
_SAMPLES = 128  # blocks of an array that the checksum looks at
_BLOCK = 4096
_GULP = 2**20  # bytes at once of an array that is looked at whole


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


def finish(place: Path, rows: list[Row], image_size: int, content: str) -> None:
    """See the arrays to the disk and write the metadata, which makes the entry complete."""
    for name in _DTYPES:
        with (place / f"{name}.npy").open("r+b") as file:
            os.fsync(file.fileno())
    body = {
        "content": content,
        "image_size": image_size,
        "rows": [row[:-1] for row in rows],
        "identities": base64.b64encode(b"".join(row.identity for row in rows)).decode(),
        "checksums": {name: _checksum(place / f"{name}.npy") for name in _DTYPES},
    }
    write_text(place / "meta.json", json.dumps({"body": body, "fingerprint": fingerprint.of(body)}))


def open_entry(place: Path, image_size: int, scaling: Scaling, folder: Path, content: str) -> Dataset:
    """The dataset of an entry, its arrays memory-mapped.

    Raises:
        DamagedEntry: A file is missing, cut short, changed or not what the metadata say.
        DataError: Patient codes contradict what is known of the slices.
    """
    body = _read_meta(place / "meta.json")
    if body["content"] != content:
        raise DamagedEntry("meta.json is of other slices")
    number, label, codes, area, origins = zip(*body["rows"], strict=True)
    identities = np.frombuffer(base64.b64decode(body["identities"]), _IDENTITY)
    shape = (len(number), image_size, image_size)
    numbers, labels = np.array(number, np.int64), np.array(label, np.int64)
    patients = _patients(codes, origins[0], numbers, identities, folder)
    return Dataset(
        images=_open_array(place, "images", shape, body["checksums"]),
        masks=_open_array(place, "masks", shape, body["checksums"]),
        labels=labels,
        numbers=numbers,
        patients=patients.ids,
        original_areas=np.array(area, np.int64),
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
        meta = json.loads(path.read_text(encoding="utf-8"))
        body: dict[str, Any] = meta["body"]
        intact = fingerprint.of(body) == meta["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedEntry(f"meta.json cannot be read: {error}") from error
    if not intact:
        raise DamagedEntry("meta.json has changed")
    return body


def _open_array(place: Path, name: str, shape: tuple[int, ...], checksums: dict[str, int]) -> NDArray[Any]:
    path, dtype = place / f"{name}.npy", _DTYPES[name]
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype or array.shape != shape:
            raise DamagedEntry(f"{path.name}: expected {dtype} {shape}, got {array.dtype} {array.shape}")
        if _checksum(path) != checksums[name]:
            raise DamagedEntry(f"{path.name} has changed")
    except (OSError, ValueError, EOFError) as error:
        raise DamagedEntry(f"{path.name} cannot be read: {error}") from error
    return array


def _checksum(path: Path) -> int:
    """CRC-32 of the size and of blocks spread over the file: all of a small file, a sample of a large one."""
    size = path.stat().st_size
    total = zlib.crc32(str(size).encode())
    whole = size <= 64 * _SAMPLES * _BLOCK
    starts, length = (range(0, size, _GULP), _GULP) if whole else (_spread(size), _BLOCK)
    with path.open("rb") as file:
        for start in starts:
            file.seek(start)
            total = zlib.crc32(file.read(length), total)
    return total


def _spread(size: int) -> list[int]:
    return [k * (size - _BLOCK) // (_SAMPLES - 1) for k in range(_SAMPLES)]
