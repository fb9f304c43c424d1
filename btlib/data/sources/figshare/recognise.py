"""Recognition of the Figshare data set's slices by their tumour masks, independent of file names.

Copies of the data set exist as 8-bit images, as PNG, rotated, mirrored or with other numbers, and mostly without
patient codes. They all have the same masks. Labels do not help: in file order they form only twelve runs.
"""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from btlib.data.preprocess import prepare_mask
from btlib.data.sources.figshare.patient_table import PatientTable

SIZE = 256
"""Side in pixels at which masks are compared, after resizing by the thesis's rule."""

SHARE = 0.99
"""Minimum share of the files that must be slices of the table."""

_MOST_BY_AREA = 0.5  # areas are used only if at most this share of the files is recognised by signature
_FEWEST = 30  # minimum number of files for recognition by areas: the area of a single mask is ambiguous
_TOLERANCE = 0.15  # of the area: after another resizing rule masks differ by 1 %, one in a hundred by up to 13 %
_LEAST = 12  # minimum tolerance in pixels


def mask_signature(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the signature of a mask [h, w] and its area in pixels, both at 256×256.

    Mirrored, rotated (by 90°) and transposed copies of a mask have the same signature. It is 64 bits of a hash of the
    numbers of tumour pixels by row and by column.
    """
    sized = prepare_mask(mask, SIZE)
    sides = []
    for axis in (0, 1):
        profile = sized.sum(axis=axis, dtype=np.uint16)
        sides.append(min(profile.astype(">u2").tobytes(), profile[::-1].astype(">u2").tobytes()))
    digest = sha256(b"".join(sorted(sides))).digest()
    return int.from_bytes(digest[:8], "big"), int(sized.sum())


def recognise(
    numbers: NDArray[np.int64], signatures: NDArray[np.uint64], areas: NDArray[np.int64], table: PatientTable
) -> NDArray[np.int64]:
    """Return the table number of every file, int64 [n], or 0 for a file that is not in the table; see `is_copy`.

    Files are recognised by signature, with any file numbers. If the masks were resized by another rule, files are
    recognised by area, which needs the data set's original file numbers.

    Args:
        numbers: File numbers, int64 [n].
        signatures: Signatures of the masks, uint64 [n].
        areas: Tumour pixels at 256×256, int64 [n].
        table: Table of the known slices.
    """
    order = np.argsort(table.signatures)
    place = np.searchsorted(table.signatures[order], signatures).clip(max=len(order) - 1)
    found = np.where(table.signatures[order][place] == signatures, order[place] + 1, 0).astype(np.int64)
    if np.count_nonzero(found) > _MOST_BY_AREA * len(found):
        return found
    within = (numbers >= 1) & (numbers <= len(order))
    expected = table.areas[np.where(within, numbers, 1) - 1]
    alike = within & (np.abs(areas - expected) <= np.maximum(_LEAST, _TOLERANCE * expected))
    by_area = np.where(alike, numbers, 0).astype(np.int64)
    return by_area if len(numbers) >= _FEWEST and is_copy(by_area) else found


def is_copy(found: NDArray[np.int64]) -> bool:
    """Whether at least 99 % of the files are slices of the table."""
    return bool(np.count_nonzero(found) >= SHARE * len(found))
