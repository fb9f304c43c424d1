"""Volumes and their slices."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.data.faults import joined
from btlib.data.sources.table.planes import as_plain
from btlib.data.sources.table.row import UNION, Row
from btlib.errors import DataError, OptionError

_LARGEST = 2**31
"""Maximum number of voxels of a volume that is read as a whole."""


def read_volume(path: Path) -> NDArray[np.integer]:
    """Read the mask of a volume as whole numbers [x, y, z].

    Raises:
        DataError: The file is damaged or too large, has not three axes, or values that are not whole numbers.
        MissingExtraError: nibabel is not installed.
    """
    image = _opened(path)
    shape = shape_of(path)
    if len(image.shape) > 3 and any(side > 1 for side in image.shape[3:]):
        raise DataError(f"expected a mask with three axes, got the shape {tuple(image.shape)}")
    if np.prod(shape, dtype=np.float64) > _LARGEST:
        raise DataError(f"expected at most {_LARGEST} voxels, the header states {' × '.join(map(str, shape))}")
    try:
        values = as_plain(np.asanyarray(image.dataobj)).reshape(shape)
    except DataError:
        raise
    except Exception as error:  # damaged files make decoders raise almost anything
        raise DataError(f"cannot be decoded: {error}") from error
    if values.dtype.kind in "iu":
        return values
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise DataError("the mask has values that are not whole numbers")
    return whole


def shape_of(path: Path) -> tuple[int, int, int]:
    """Return the number of voxels along x, y and z that the header states; raises DataError as `read_volume`."""
    image = _opened(path)
    if not 2 <= len(image.shape) <= 4:
        raise DataError(f"expected two to four axes, got the shape {tuple(image.shape)}")
    x, y, z = map(int, (*image.shape, 1)[:3])
    return x, y, z


def _opened(path: Path) -> Any:
    with extras.named(path):
        import nibabel
    try:
        return nibabel.load(path)
    except Exception as error:  # as above
        raise DataError(f"cannot be decoded: {error}") from error


def every(rule: str) -> int | None:
    """Return n of the rule "every:N"; 1 for "all" and None for "mask".

    Raises:
        OptionError: The rule is none of these.
    """
    if rule in ("all", "mask"):
        return 1 if rule == "all" else None
    match = re.fullmatch(r"every:([1-9][0-9]{0,5})", rule)
    if match is None:
        problem = f"expected all, mask or every:N, got {rule!r}"
        raise OptionError(problem, where="--slices", hint="every:5 uses each fifth slice, from the first")
    return int(match[1])


def sliced(rows: Sequence[Row], folder: Path, axis: int | None, rule: str) -> list[Row]:
    """Return a row for each chosen slice of the volumes.

    Args:
        rows: Rows of NIfTI volumes, with the channels and masks of each.
        folder: Folder of the files.
        axis: Axis of the slices, 0…2; None is axis 2.
        rule: "all", "mask" (slices in which a mask is not 0) or "every:N".

    Raises:
        DataError: Files are damaged, or the files of a volume have different shapes. One error names all of them.
        OptionError: The rule or the axis is invalid.
    """
    step = every(rule)
    if axis is not None and axis not in (0, 1, 2):
        raise OptionError(f"expected 0, 1 or 2, got {axis}", where="--axis")
    found: list[Row] = []
    faults = []
    for row in rows:
        try:
            found += _slices(row, folder, axis, step)
        except DataError as error:
            hint = error.hint or "repair or remove this volume"
            faults.append(DataError(f"{row.file}: {error.problem}", where=folder, hint=hint))
    if faults:
        raise joined(faults, folder, "repair or remove these volumes", what="faults")
    if not found:
        raise DataError("no slice is chosen", where=folder, hint="choose --slices all")
    return found


def orientation_notes(rows: Sequence[Row], folder: Path) -> list[str]:
    """Return a note about volumes whose files state different orientations: slices are cut by axes of the file.

    Masks are often stored without the orientation of their image, so this is no error.
    """
    from nibabel.orientations import aff2axcodes

    codes_of: Any = aff2axcodes  # has no types
    torn = []
    for row in rows:
        codes: set[tuple[str, ...]] = set()
        for name in row.files:
            try:
                codes.add(codes_of(_opened(folder / name).affine))
            except DataError:
                break  # reported when the volume is cut
        if len(codes) > 1:
            torn.append(row.file)
    if not torn:
        return []
    shown = ", ".join(torn[:5]) + (" …" if len(torn) > 5 else "")
    return [f"the headers of {len(torn)} volumes and their masks or channels state different orientations: {shown}"]


def _slices(row: Row, folder: Path, axis: int | None, step: int | None) -> Iterator[Row]:
    shape = shape_of(folder / row.file)
    for name in row.files[1:]:
        if (other := shape_of(folder / name)) != shape:
            sizes = [" × ".join(map(str, one)) for one in (other, shape)]
            raise DataError(f"{name} has {sizes[0]} voxels, the first file has {sizes[1]}")
    at = 2 if axis is None else axis
    if step is not None:
        chosen = list(range(0, shape[at], step))
    else:
        filled = np.zeros(shape[at], bool)
        for name in (name for cell in row.masks if cell for name in cell.split(UNION)):
            others = tuple(k for k in range(3) if k != at)
            filled |= (read_volume(folder / name) != 0).any(axis=others)
        chosen = np.flatnonzero(filled).tolist()
    for number in chosen:
        yield row if shape[at] == 1 else row._replace(slice=int(number), axis=axis)  # one slice: an image
