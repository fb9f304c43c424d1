"""Which slice of the Figshare data set is this? Answered by the tumour mask, whatever the file is called.

Copies of the data set come as 8-bit images, as PNG, turned, mirrored or under other numbers, and mostly without
patient codes. What they keep is the masks. Labels are no use: in file order they form twelve runs only.
"""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from btlib.data.preprocess import prepare_mask
from btlib.data.sources.figshare.patient_table import PatientTable

SIZE = 256
"""Masks are compared at this side in pixels, by the thesis's rule of resizing."""

SHARE = 0.99
"""At least so many of the files must be slices of the table, as a share."""

_MOST_BY_AREA = 0.5  # of the files may be known by signature where areas decide: else the others are other slices
_FEWEST = 30  # files that are told by areas alone: the area of one mask is no identity
_TOLERANCE = 0.15  # of the area: masks resized by another rule differ by a percent, and one in a hundred by up to 13
_LEAST = 12  # pixels


def mask_signature(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Signature of a mask [h, w], the same for its mirrored, turned and transposed copies, and its area in pixels.

    The signature is 64 bits of a hash of the numbers of tumour pixels by row and by column at 256×256.
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
    """Number in the table of every file, int64 [n], 0 for a file that is none of its slices; see `is_copy`.

    By signature, under any file numbers; where masks were resized by another rule, by their areas under the data set's
    own numbers.

    Args:
        numbers: File numbers, int64 [n].
        signatures: Of the masks, uint64 [n].
        areas: Tumour pixels at 256×256, int64 [n].
        table: The slices that are known.
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
