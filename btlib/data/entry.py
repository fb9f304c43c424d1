"""One entry of the cache: images, masks and metadata, with checks that are cheap enough for every start."""

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.dataset import Dataset
from btlib.files import write_json
from btlib.types import Origin, Scaling

_SAMPLES = 128  # blocks of an array that the checksum looks at
_BLOCK = 4096


class DamagedEntry(Exception):  # noqa: N818 - never leaves the cache: the entry is made anew
    """The entry is incomplete or has changed since it was written."""


@dataclass(frozen=True)
class Row:
    """What the cache keeps of a slice besides its pixels; `area` is the mask's, before resizing."""

    number: int
    label: int
    patient: str | None
    area: int
    origin: Origin


def create(place: Path, n: int, image_size: int) -> tuple[Any, Any]:
    """Empty images (float32) and masks (bool) of n slices, memory-mapped for writing."""
    shape = (n, image_size, image_size)
    return tuple(  # type: ignore[return-value]
        np.lib.format.open_memmap(place / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
        for name, dtype in (("images", np.float32), ("masks", np.bool_))
    )


def finish(place: Path, rows: list[Row], image_size: int, content: str) -> None:
    """Write the metadata, which makes the entry complete."""
    body = {
        "content": content,
        "image_size": image_size,
        "rows": [list(asdict(row).values()) for row in rows],
        "checksums": {name: _checksum(place / f"{name}.npy") for name in ("images", "masks")},
    }
    write_json(place / "meta.json", {"body": body, "fingerprint": fingerprint.of(body)})


def open_entry(place: Path, image_size: int, scaling: Scaling, folder: Path, content: str) -> Dataset:
    """The dataset of an entry, its arrays memory-mapped.

    Raises:
        DamagedEntry: A file is missing, cut short, changed or not what the metadata say.
    """
    body = _read_meta(place / "meta.json")
    if body["content"] != content:
        raise DamagedEntry("meta.json is of other slices")
    rows = [Row(*values) for values in body["rows"]]
    shape = (len(rows), image_size, image_size)
    numbers, labels, areas = np.array([(r.number, r.label, r.area) for r in rows], dtype=np.int64).T.copy()
    return Dataset(
        images=_open_array(place / "images.npy", np.dtype(np.float32), shape, body["checksums"]["images"]),
        masks=_open_array(place / "masks.npy", np.dtype(np.bool_), shape, body["checksums"]["masks"]),
        labels=labels,
        numbers=numbers,
        patients=tuple(row.patient for row in rows),
        original_areas=areas,
        origin=rows[0].origin,
        scaling=scaling,
        image_size=image_size,
        folder=folder,
        fingerprint=content,
    )


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


def _open_array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], checksum: int) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype or array.shape != shape:
            raise DamagedEntry(f"{path.name}: expected {dtype} {shape}, got {array.dtype} {array.shape}")
        if _checksum(path) != checksum:
            raise DamagedEntry(f"{path.name} has changed")
    except (OSError, ValueError, EOFError) as error:
        raise DamagedEntry(f"{path.name} cannot be read: {error}") from error
    return array


def _checksum(path: Path) -> int:
    """CRC-32 of the size and of blocks spread over the file: all of a small file, a sample of a large one."""
    size = path.stat().st_size
    total = zlib.crc32(str(size).encode())
    starts = range(0, size, _BLOCK) if size <= 64 * _SAMPLES * _BLOCK else _spread(size)
    with path.open("rb") as file:
        for start in starts:
            file.seek(start)
            total = zlib.crc32(file.read(_BLOCK), total)
    return total


def _spread(size: int) -> list[int]:
    return [k * (size - _BLOCK) // (_SAMPLES - 1) for k in range(_SAMPLES)]
