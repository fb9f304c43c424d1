"""One entry of the cache: images, masks and metadata. Pixels are verified at first reading, the rest at opening."""

import base64
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.data.checked_array import CheckedArray, Rebuild, block_digests
from btlib.data.dataset import Cohort, Dataset
from btlib.data.originals import FILE, Originals
from btlib.data.source import DatasetSource
from btlib.data.task import Task
from btlib.types import Scaling

_DTYPES = {"images": np.dtype(np.float32), "masks": np.dtype(np.bool_)}
_IDENTITY = np.dtype([("image", ">u8"), ("mask", ">u8"), ("signature", ">u8"), ("area256", ">u4")])


class DamagedEntry(Exception):  # noqa: N818 - never leaves the cache: the entry is rebuilt
    """The entry is incomplete or has changed since it was written."""


class Row(NamedTuple):
    """Stored data of a sample, without its pixels.

    Attributes:
        id: Id of the sample.
        label: Class of the sample; None for a task without classes.
        code: Patient code in the file, None if the file has none.
        volume: Volume that the sample belongs to; None if it belongs to none.
        identity: Numbers packed by `pack`, to save memory: 100 000 rows of Python integers would take 40 MB.
    """

    id: str
    label: int | None
    code: str | None
    volume: str | None
    identity: bytes


def pack(image: int, mask: int, signature: int, area256: int) -> bytes:
    """Pack the numbers that identify a sample.

    Args:
        image: Digest of the image before resizing.
        mask: Digest of the mask at the entry's size.
        signature: First number of the source's mark (`btlib.data.source.Mark`).
        area256: Second number of the source's mark.
    """
    return np.array((image, mask, signature, area256), _IDENTITY).tobytes()


def create(place: Path, n: int, image_size: int, task: Task) -> None:
    """Create the files for the images and masks of n samples; `store` fills them."""
    for name, dtype in _DTYPES.items():
        shape = (n, *_of_sample(name, image_size, task))
        with (place / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            )
            file.truncate(file.tell() + math.prod(shape) * dtype.itemsize)


def _of_sample(name: str, image_size: int, task: Task) -> tuple[int, int, int]:
    """Shape of one sample in an array of the entry."""
    return len(task.channels if name == "images" else task.structures), image_size, image_size


def store(place: Path, i: int, n: int, image: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Write the pixels of sample i of n into the files. Several processes may do so at once, each for other samples.

    The files are not memory-mapped here: mapped pages would count as this process's memory, and a full disk would
    kill the process.
    """
    for name, row in (("images", image), ("masks", mask)):
        with (place / f"{name}.npy").open("r+b") as file:
            file.seek((i - n) * row.nbytes, os.SEEK_END)
            file.write(row.data)


def finish(
    place: Path,
    rows: list[Row],
    image_size: int,
    scaling: Scaling,
    content: str,
    task: Task,
    originals: bytes | None = None,
) -> None:
    """Flush the arrays to disk and write the metadata, which completes the entry.

    The index of the original masks is that of their writer; None if there are none.
    """
    for name in _DTYPES:
        with (place / f"{name}.npy").open("r+b") as file:
            os.fsync(file.fileno())
    body = {
        "content": content,
        "image_size": image_size,
        "scaling": scaling,
        "task": task.model_dump(mode="json"),
        "rows": [row[:-1] for row in rows],
        "identities": base64.b64encode(b"".join(row.identity for row in rows)).decode(),
        "originals": None if originals is None else base64.b64encode(originals).decode(),
        "blocks": {name: block_digests(place / f"{name}.npy") for name in _DTYPES},
    }
    files.write_text(place / "meta.json", json.dumps(files.sealed(body)))


def open_entry(
    place: Path,
    image_size: int,
    scaling: Scaling,
    source: DatasetSource,
    content: str,
    rebuild: Rebuild,
    original: Callable[[int], NDArray[np.bool_]],
) -> Dataset:
    """Open the data set of an entry with memory-mapped arrays. A block of pixels is verified when it is first read.

    Args:
        place: Folder of the entry.
        image_size: Side of the images in pixels.
        scaling: Scaling of the intensities.
        source: Source of the samples.
        content: Fingerprint of the samples.
        rebuild: Function that stores samples again if their pixels are damaged.
        original: Function that reads the mask of a sample from its source again, by its position.

    Raises:
        DamagedEntry: A file is missing or truncated, or the metadata are damaged or belong to other samples.
        DataError: Patient codes contradict the known patients of the samples.
    """
    body = _read_meta(place / "meta.json")
    if body["content"] != content:
        raise DamagedEntry("meta.json belongs to other samples")
    if (body.get("image_size"), body.get("scaling", scaling)) != (image_size, scaling):  # older entries have no scaling
        raise DamagedEntry(f"meta.json has {body.get('image_size')} px and {body.get('scaling')} scaling")
    try:
        task = Task.model_validate_json(json.dumps(body["task"]))
        names, label, codes, volume = zip(*body["rows"], strict=True)
        identities = np.frombuffer(base64.b64decode(body["identities"]), _IDENTITY)
        labels = np.array(label, np.int64) if task.classes else None
        if not all(isinstance(name, str) for name in names):
            raise TypeError("an id is not a text")
        ids = np.array(names, dtype=str)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedEntry(f"meta.json: its rows are invalid ({error})") from error
    if not source.is_of(task):
        raise DamagedEntry(f"meta.json: its task {task.name!r} differs from the source's task")
    try:
        patients = source.patients(task, ids, codes, identities)
    except (ValueError, OverflowError) as error:
        raise DamagedEntry(f"meta.json: its rows do not belong to {source.place} ({error})") from error
    parts = source.official_split()
    images, masks = (
        _open_array(place, name, (len(ids), *_of_sample(name, image_size, task)), body["blocks"], rebuild)
        for name in _DTYPES
    )
    cohort = Cohort(patients.ids, np.zeros(len(ids), np.int64) if labels is None else labels, patients.folds)
    return Dataset(
        task=task,
        images=images,
        masks=masks,
        labels=labels,
        ids=ids,
        patients=patients.ids,
        volumes=None if set(volume) == {None} else volume,
        scaling=scaling,
        image_size=image_size,
        folder=source.folder,
        patient_source=patients.source,
        cohort=cohort,
        image_digests=identities["image"].astype(np.uint64),
        mask_digests=identities["mask"].astype(np.uint64),
        official=None if parts is None else tuple(parts[name] for name in names),
        originals=_open_originals(place, body.get("originals"), len(ids), len(task.structures), original),
    )


def _open_originals(
    place: Path, index: object, n: int, structures: int, again: Callable[[int], NDArray[np.bool_]]
) -> Originals | None:
    if index is None:
        return None
    try:
        found = Originals.open(place / FILE, base64.b64decode(index), structures, again)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise DamagedEntry(f"meta.json: the index of {FILE} is invalid ({error})") from error
    if len(found) != n or not found.path.is_file():
        raise DamagedEntry(f"{FILE} is missing, or has an index of {len(found)} of {n} samples")
    return found


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
